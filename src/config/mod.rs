//! What the operator sets.

mod issuer;

pub use issuer::{IssuerConfig, JwksSource, SigningAlgorithm};
