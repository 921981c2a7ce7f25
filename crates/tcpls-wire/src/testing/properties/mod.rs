//! Properties of the codecs, on generated values.

mod hellos;
mod records;
