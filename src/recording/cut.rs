//! Parts of recordings.
//! (in work)
