//! HMAC, and comparisons in constant time.

use hmac::{KeyInit, Mac};
use subtle::ConstantTimeEq;

/// Returns the HMAC over the concatenated parts.
pub(crate) fn mac<M: Mac + KeyInit>(key: &[u8], parts: &[&[u8]]) -> Vec<u8> {
    let mut mac = M::new_from_slice(key).expect("HMAC takes a key of any length");
    for part in parts {
        mac.update(part);
    }
    mac.finalize().into_bytes().to_vec()
}

/// Returns true if both are the same. The time does not depend on where they differ.
pub(crate) fn same(left: &[u8], right: &[u8]) -> bool {
    left.ct_eq(right).into()
}

#[cfg(test)]
mod tests {
    use aes::{Aes256, Aes256Dec, Aes256Enc};
    use hmac::Hmac;
    use sha1::Sha1;
    use sha2::{Sha256, Sha512};
    use zeroize::ZeroizeOnDrop;

    #[test]
    fn keys_are_erased_when_they_are_dropped() {
        fn is_erased<K: ZeroizeOnDrop>() {}
        // A prepared HMAC keeps its key as states of the hash function, and no other way.
        is_erased::<Sha1>();
        is_erased::<Sha256>();
        is_erased::<Sha512>();
        is_erased::<Aes256>();
        is_erased::<Aes256Enc>();
        is_erased::<Aes256Dec>();
        is_erased::<cbc::Encryptor<Aes256>>();
        is_erased::<cbc::Decryptor<Aes256>>();
    }

    #[test]
    fn the_code_of_rfc_2202_and_4231_comes_out() {
        let text: &[&[u8]] = &[b"what do ya want ", b"for nothing?"];
        let hex =
            |bytes: Vec<u8>| bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
        let sha1 = hex(super::mac::<Hmac<Sha1>>(b"Jefe", text));
        assert_eq!(sha1, "effcdf6ae5eb2fa2d27416d5f184df9c259a7c79");
        let sha256 = hex(super::mac::<Hmac<Sha256>>(b"Jefe", text));
        assert_eq!(sha256, "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
        assert!(super::same(b"a", b"a") && !super::same(b"a", b"b") && !super::same(b"a", b"ab"));
    }
}
