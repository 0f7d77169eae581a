//! What people look at: HTML, charts, PNG.
