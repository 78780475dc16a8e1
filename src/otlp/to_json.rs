//! (in work)
use super::DecodeError;

/// (in work)
pub fn to_json(_body: &[u8], _out: &mut Vec<u8>) -> Result<(), DecodeError> {
    Ok(())
}
