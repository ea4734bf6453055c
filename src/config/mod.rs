//! Text in, checked values out.

pub mod text;
pub mod value;
