//! What people look at: HTML, charts, PNG.

mod charts;
mod font;
mod number;
mod paint;
mod png;
mod scene;
mod visible;
