//! Floor 7: what hotel systems speak, turned into records. Knows formats, not the vault.

pub mod ndjson;
