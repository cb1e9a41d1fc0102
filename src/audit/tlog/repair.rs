//! Looks at each file of a mirror and writes what is missing or broken, from the log in the database: after it was
//! proven to be what the mirror's own checkpoint signs.

use super::{
    Hash, LogError, Stored, leaf_hash,
    mirror::{Mirror, MirrorError},
    note::Checkpoint,
    proof::verify_inclusion,
    tile::{self, Place, Tile, WIDTH},
    tree::Edge,
};

impl Mirror {
    /// Leaves each file as the mirror's checkpoint needs it.
    pub(super) async fn repair(&self, log: &Stored) -> Result<(), MirrorError> {
        let Some(note) = self.read("checkpoint").await? else {
            return Ok(());
        };
        let signed = self.open(&note)?;
        let minimum = self.minimum(log).await?;
        let mut edge = Edge::default();
        for index in 0..signed.size.div_ceil(WIDTH) {
            let Some(tile) = Tile::in_tree(0, index, signed.size) else {
                break;
            };
            let hashes = match self.sound(tile, minimum).await? {
                Some(hashes) => hashes,
                None => self.mend(log, tile, &signed).await?,
            };
            let mut full = vec![];
            for hash in hashes {
                edge.push(hash, &mut |tile, hashes| full.push((tile, tile::join(hashes))));
            }
            for (tile, bytes) in full {
                self.put(&tile.path(), &bytes).await?;
                self.remove_partial(tile).await?;
            }
        }
        for (tile, hashes) in edge.partial() {
            self.put(&tile.path(), &tile::join(hashes)).await?;
        }
        if edge.root() == signed.root {
            if self.read("minimum").await?.is_some() {
                self.tell_minimum(minimum).await?;
            }
            Ok(())
        } else {
            Err(MirrorError::Damaged { folder: self.shown() })
        }
    }

    /// The hashes of a tile of the bottom that is there with its entries.
    async fn sound(&self, tile: Tile, minimum: u64) -> Result<Option<Vec<Hash>>, MirrorError> {
        let width = usize::try_from(tile.width).unwrap_or(usize::MAX);
        let hashes = self
            .read(&tile.path())
            .await?
            .and_then(|bytes| tile::split(&bytes));
        let Some(hashes) = hashes.filter(|hashes| hashes.len() == width) else {
            return Ok(None);
        };
        if tile.is_before(minimum) {
            return Ok(Some(hashes));
        }
        let Some(bundle) = self.read(&tile.bundle_path()).await? else {
            return Ok(None);
        };
        let entries = tile::unbundle(&bundle).unwrap_or_default();
        let own = entries.iter().map(|entry| leaf_hash(entry));
        Ok(own.eq(hashes.iter().copied()).then_some(hashes))
    }

    /// Writes a tile of the bottom, and its entries as far as the log has them.
    async fn mend(&self, log: &Stored, tile: Tile, signed: &Checkpoint) -> Result<Vec<Hash>, MirrorError> {
        let changed = || LogError::Changed(tile.path());
        let bytes = log.at(Place::Tile(tile)).await?.ok_or_else(changed)?;
        // The path of one entry to the root goes through all hashes beside it.
        let first = tile.first_entry();
        let (leaf, path) = log.inclusion(first, signed.size).await?;
        if !verify_inclusion(first, signed.size, &leaf, &path, &signed.root) {
            return Err(changed().into());
        }
        if let Some(bundle) = log.at(Place::Bundle(tile)).await? {
            self.put(&tile.bundle_path(), &bundle).await?;
        }
        self.put(&tile.path(), &bytes).await?;
        tile::split(&bytes).ok_or_else(|| changed().into())
    }
}
