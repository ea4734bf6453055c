//! Both encodings of OTLP: what spans come to, that both say the same, and that nothing sent can do harm.

mod both;
mod hostile;
mod meaning;
