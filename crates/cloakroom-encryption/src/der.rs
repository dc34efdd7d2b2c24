//! The part of DER (X.690) that kruptein uses: a SEQUENCE of OCTET STRINGs.
//!
//! Reading accepts only what [`write`] writes, so that each record has one text: a text with another length encoding
//! was not written by kruptein.

const SEQUENCE: u8 = 0x30;
const OCTET_STRING: u8 = 0x04;

/// Writes the strings as one SEQUENCE.
pub(crate) fn write(strings: &[&[u8]]) -> Vec<u8> {
    let mut content = Vec::new();
    for string in strings {
        write_item(OCTET_STRING, string, &mut content);
    }
    let mut out = Vec::with_capacity(content.len() + 6);
    write_item(SEQUENCE, &content, &mut out);
    out
}

fn write_item(tag: u8, content: &[u8], out: &mut Vec<u8>) {
    out.push(tag);
    if content.len() < 0x80 {
        out.push(content.len() as u8);
    } else {
        let bytes = content.len().to_be_bytes();
        let bytes = &bytes[bytes.iter().take_while(|byte| **byte == 0).count()..];
        out.push(0x80 | bytes.len() as u8);
        out.extend_from_slice(bytes);
    }
    out.extend_from_slice(content);
}

/// Reads a SEQUENCE of exactly `N` strings. Returns `None` if it contains anything else, or if bytes follow it.
pub(crate) fn read<const N: usize>(der: &[u8]) -> Option<[&[u8]; N]> {
    let (mut content, rest) = read_item(SEQUENCE, der)?;
    let mut strings = [&[][..]; N];
    for string in &mut strings {
        (*string, content) = read_item(OCTET_STRING, content)?;
    }
    (content.is_empty() && rest.is_empty()).then_some(strings)
}

/// Returns the content of the first item, and the bytes after it.
fn read_item(tag: u8, der: &[u8]) -> Option<(&[u8], &[u8])> {
    let (&[found, first], rest) = der.split_first_chunk()?;
    if found != tag {
        return None;
    }
    if first < 0x80 {
        return rest.split_at_checked(first.into());
    }
    let (bytes, rest) = rest.split_at_checked((first & 0x7f).into())?;
    // DER has no leading zeros, so a longer length would exceed every text.
    if matches!(bytes.first(), None | Some(0)) || bytes.len() > size_of::<u32>() {
        return None;
    }
    let length = bytes.iter().fold(0, |length, byte| length << 8 | usize::from(*byte));
    if length < 0x80 { None } else { rest.split_at_checked(length) }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn lengths_have_one_form() {
        for (length, head) in [
            (0, &[4, 0][..]),
            (127, &[4, 127]),
            (128, &[4, 0x81, 128]),
            (255, &[4, 0x81, 255]),
            (256, &[4, 0x82, 1, 0]),
            (65_536, &[4, 0x83, 1, 0, 0]),
        ] {
            let mut item = Vec::new();
            write_item(OCTET_STRING, &vec![7; length], &mut item);
            assert_eq!(&item[..head.len()], head);
            assert_eq!(read_item(OCTET_STRING, &item).unwrap().0.len(), length);
        }
    }

    #[test]
    fn hostile_der_is_refused() {
        for der in [
            &[][..],
            &[0x30],
            &[0x30, 0],
            &[0x30, 1],
            &[0x30, 0x80],
            &[0x30, 0x80, 4, 0, 0, 0],
            &[0x30, 0x84, 0xff, 0xff, 0xff, 0xff],
            &[0x30, 0x88, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff],
            &[0x30, 0xff, 1],
            &[0x30, 0x81, 2, 4, 0],
            &[0x30, 2, 4, 1],
            &[0x30, 2, 4, 0, 0],
            &[0x30, 4, 4, 0, 4, 0],
            &[0x30, 2, 0x30, 0],
            &[0x31, 2, 4, 0],
        ] {
            assert_eq!(read::<1>(der), None, "{der:?}");
        }
        assert_eq!(read::<1>(&[0x30, 2, 4, 0]), Some([&[][..]]));
        assert_eq!(read::<1>(&[0x30, 3, 4, 1, 9]), Some([&[9][..]]));
    }

    #[test]
    fn nesting_costs_nothing() {
        let nested = (0..10_000).fold(Vec::new(), |content, _| {
            let mut out = Vec::new();
            write_item(SEQUENCE, &content[content.len().saturating_sub(500)..], &mut out);
            out
        });
        assert_eq!(read::<4>(&nested), None);
    }

    proptest! {
        #[test]
        fn what_is_written_reads_back(strings in prop::array::uniform4(prop::collection::vec(any::<u8>(), 0..300))) {
            let written = write(&strings.each_ref().map(Vec::as_slice));
            prop_assert_eq!(read::<4>(&written).unwrap().map(<[u8]>::to_vec), strings);
            prop_assert_eq!(read::<3>(&written), None);
            prop_assert_eq!(read::<5>(&written), None);
            prop_assert_eq!(read::<4>(&written[..written.len() - 1]), None);
        }

        #[test]
        fn any_bytes_are_read_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..64)) {
            if let Some(strings) = read::<1>(&bytes) {
                prop_assert_eq!(write(&strings), bytes);
            }
        }
    }
}
