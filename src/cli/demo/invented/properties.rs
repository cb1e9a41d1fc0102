//! The invented group: LUMEN, two brands, three hotels.

use chrono_tz::Tz;

use crate::base::{PropertyKind, PropertyNode};

/// The group, its brands, its hotels, from the top down.
#[must_use]
pub fn properties() -> Vec<PropertyNode> {
    [
        ("LUMEN", PropertyKind::Group, None, "Lumen Hotels", None, Tz::UTC),
        (
            "LUMEN-CITY",
            PropertyKind::Brand,
            Some("LUMEN"),
            "Lumen City",
            None,
            Tz::UTC,
        ),
        (
            "LUMEN-RESORT",
            PropertyKind::Brand,
            Some("LUMEN"),
            "Lumen Resorts",
            None,
            Tz::UTC,
        ),
        (
            "LIS01",
            PropertyKind::Property,
            Some("LUMEN-RESORT"),
            "Lumen Tejo, Lisbon",
            Some("PT"),
            Tz::Europe__Lisbon,
        ),
        (
            "SHA01",
            PropertyKind::Property,
            Some("LUMEN-CITY"),
            "Lumen Bund, Shanghai",
            Some("CN"),
            Tz::Asia__Shanghai,
        ),
        (
            "BER01",
            PropertyKind::Property,
            Some("LUMEN-CITY"),
            "Lumen Spree, Berlin",
            Some("DE"),
            Tz::Europe__Berlin,
        ),
    ]
    .into_iter()
    .filter_map(|(code, kind, parent, name, region, timezone)| {
        Some(PropertyNode {
            code: code.parse().ok()?,
            kind,
            parent: parent.and_then(|p| p.parse().ok()),
            name: name.to_owned(),
            region: region.map(str::to_owned),
            province: None,
            timezone,
        })
    })
    .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{base::PropertyTree, cli::demo::invented::HOTELS};

    #[test]
    fn the_tree_stands() {
        let tree = PropertyTree::new(properties()).unwrap();
        assert_eq!(tree.iter().count(), 6);
        let group = "LUMEN".parse().unwrap();
        for hotel in HOTELS {
            let code = hotel.parse().unwrap();
            assert!(tree.within(&code, &group), "{hotel}");
            assert!(tree.get(&code).unwrap().region.is_some());
        }
    }
}
