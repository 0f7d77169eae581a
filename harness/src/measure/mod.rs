//! Recording of time and resources, and the description of the machine.
