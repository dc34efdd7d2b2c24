//! The versions of kruptein and their differences.

use cloakroom_encryption::{EncodeAs, Hashing, KrupteinVersion};

use crate::json::Json;

/// A version number.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Version([u32; 3]);

impl Version {
    pub(super) fn parse(text: &str) -> Option<Self> {
        let numbers: Option<Vec<u32>> = text.split('.').map(|part| part.parse().ok()).collect();
        Some(Self(numbers?.try_into().ok()?))
    }

    pub(super) fn generation(self) -> KrupteinVersion {
        match self.0 {
            [..3, ..] => KrupteinVersion::V2,
            [3, 0, _] => KrupteinVersion::V3_0,
            [3, 1, ..3] => KrupteinVersion::V3_1_1,
            [3, ..4, _] => KrupteinVersion::V3_1_3,
            _ => KrupteinVersion::V3_4,
        }
    }

    /// Returns the default of the option `hashing`.
    pub(super) fn hashing(self) -> Hashing {
        if self.0 < [3, 0, 7] { Hashing::Sha512 } else { Hashing::Sha384 }
    }

    /// Returns the default of the option `encodeas`.
    pub(super) fn encoding(self) -> EncodeAs {
        if self.0 < [3, 0, 0] { EncodeAs::Binary } else { EncodeAs::Base64 }
    }

    /// Returns true if it writes DER regardless of `use_asn1`.
    pub(super) fn writes_der(self) -> bool {
        ([3, 0, 0]..[3, 1, 5]).contains(&self.0)
    }

    /// Returns true if it decodes the text as if it were already encoded, which damages it.
    pub(super) fn damages(self) -> bool {
        self.0 < [2, 0, 8]
    }

    /// Returns true if it derives the additional data from the key and the IV instead of random bytes.
    pub(super) fn makes_data_of_key(self) -> bool {
        ([2, 0, 8]..[2, 1, 0]).contains(&self.0)
    }

    /// Returns the encrypted value from the result of `get`, which is its JSON text before 3.4.
    pub(super) fn value(self, got: Option<&Json>) -> Option<Json> {
        match self.generation() {
            KrupteinVersion::V3_4 => got.cloned(),
            _ => Json::parse(&got?.text()?).ok(),
        }
    }
}
