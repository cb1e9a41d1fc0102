//! Behind a pooler that mixes up prepared statements the vault must not serve.

use guest_vault::store::{Pooler as Found, Store, StoreError, Which};

use crate::support::{database::on_postgres, pooler::Pooler};

#[test]
fn a_pooler_that_mixes_up_statements_is_refused_on_postgres() {
    on_postgres(async |database| {
        let (cluster, name) = database.cluster().unwrap();
        let Some(pooler) = Pooler::start(cluster) else {
            return;
        };
        let direct = database.open(Which::Data).await;
        let behind = Store::open(&pooler.url(name).parse().unwrap(), 4).await.unwrap();
        for _ in 0..3 {
            assert_eq!(direct.pooler().await.unwrap(), Found::Absent);
            assert_eq!(behind.pooler().await.unwrap(), Found::Unsafe);
        }
        assert!(direct.refuse_unsafe_pooler().await.is_ok());
        let refused = behind.refuse_unsafe_pooler().await.unwrap_err();
        assert!(matches!(refused, StoreError::Pooler));
        assert!(
            refused.to_string().contains("max_prepared_statements"),
            "{refused}"
        );
        direct.close().await;
    });
}
