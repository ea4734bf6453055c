//! Ids of traces and spans, as W3C Trace Context and OpenTelemetry have them: bytes, or their hex.

pub(super) type TraceId = [u8; 16];
pub(super) type SpanId = [u8; 8];

/// An id has its length and is not all zero.
pub(super) fn id<const N: usize>(bytes: &[u8]) -> Option<[u8; N]> {
    <[u8; N]>::try_from(bytes).ok().filter(|id| id.iter().any(|byte| *byte != 0))
}

/// As [`id`], in hex of any case.
pub(super) fn hex<const N: usize>(text: &str) -> Option<[u8; N]> {
    if text.len() != 2 * N {
        return None;
    }
    let digit = |byte: u8| char::from(byte).to_digit(16).map(|digit| digit as u8);
    let mut bytes = [0; N];
    for (byte, pair) in bytes.iter_mut().zip(text.as_bytes().chunks_exact(2)) {
        *byte = digit(pair[0])? << 4 | digit(pair[1])?;
    }
    id(&bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: Option<SpanId>) {
        assert_eq!(hex(text), expected, "{text}");
    }

    #[test]
    fn an_id_has_its_length_and_is_not_all_zero() {
        let bytes = [0xee, 0xe1, 0x9b, 0x7e, 0xc3, 0xc1, 0xb1, 0x74];
        check("EEE19B7EC3C1B174", Some(bytes));
        check("eee19b7ec3c1b174", Some(bytes));
        for wrong in
            ["", "0000000000000000", "eee19b7ec3c1b17", "eee19b7ec3c1b1744", "eee19b7ec3c1b17g", "éééééééé"]
        {
            check(wrong, None);
        }
    }
}
