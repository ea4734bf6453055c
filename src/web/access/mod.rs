//! Who may see and change what.

pub mod token;
