//! From a plan to trials: the sweep, the process of a trial, its workers.
//!
//! [`sweep`] runs every cell's trials in interleaved rounds, each trial in a fresh process ([`child`], told what to do by a
//! [`job`], answering with [`event`]s). Inside, [`trial`] opens the engine, loads it, runs the phases ([`phase`], one
//! [`worker`] a thread, operations by [`executor`]), lets it [`settle`] and reads everything back ([`verify`]).

pub mod block_size;
pub mod child;
pub mod event;
pub mod interrupt;
pub mod job;
pub mod progress;
pub mod rendezvous;
pub mod sweep;
