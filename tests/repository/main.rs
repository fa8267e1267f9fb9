//! Tests of the repository itself: what its documents and its layering promise, held against the tree.

mod environment;
mod exports;
mod folders;
mod layers;
mod manual;
mod purity;
mod races;
mod readme;
mod source;
mod threads;
