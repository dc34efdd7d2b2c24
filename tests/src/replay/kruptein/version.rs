//! The versions of kruptein and what sets them apart.

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

    /// `hashing` unless set.
    pub(super) fn hashing(self) -> Hashing {
        if self.0 < [3, 0, 7] { Hashing::Sha512 } else { Hashing::Sha384 }
    }

    /// `encodeas` unless set.
    pub(super) fn encoding(self) -> EncodeAs {
        if self.0 < [3, 0, 0] { EncodeAs::Binary } else { EncodeAs::Base64 }
    }

    /// Whether it writes DER whatever `use_asn1` says.
    pub(super) fn writes_der(self) -> bool {
        ([3, 0, 0]..[3, 1, 5]).contains(&self.0)
    }

    /// Whether it decodes the text as if it were encoded already.
    pub(super) fn damages(self) -> bool {
        self.0 < [2, 0, 8]
    }

    /// Whether it makes the additional data with the key and the IV, and not with random bytes.
    pub(super) fn makes_data_of_key(self) -> bool {
        ([2, 0, 8]..[2, 1, 0]).contains(&self.0)
    }

    /// What was encrypted, from what `get` called back with: before 3.4 its JSON text.
    pub(super) fn value(self, got: Option<&Json>) -> Option<Json> {
        match self.generation() {
            KrupteinVersion::V3_4 => got.cloned(),
            _ => Json::parse(&got?.text()?).ok(),
        }
    }
}
