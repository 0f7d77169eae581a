//! Pure functions from measurements to the figures that are shown.
