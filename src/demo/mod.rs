//! A shop that breaks on purpose: the services that it stands on, as local HTTP servers that answer as the
//! real ones do.

pub mod square;
