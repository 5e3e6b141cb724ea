//! Identifiers: the same seed and the same calls give the same ids.

/// A seeded generator (splitmix64).
#[derive(Clone, Debug)]
pub(crate) struct Ids(u64);

const ALPHABET: &[u8; 36] = b"abcdefghijklmnopqrstuvwxyz0123456789";

impl Ids {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed)
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        mix(self.0)
    }

    fn alnum(&mut self, length: usize) -> String {
        let mut bits = self.next();
        (0..length)
            .map(|_| {
                let at = usize::try_from(bits % 36).unwrap_or(0);
                bits /= 36;
                char::from(ALPHABET[at])
            })
            .collect()
    }

    /// As REST APIs have them.
    pub(crate) fn api(&mut self) -> String {
        self.alnum(10)
    }

    /// As resources, deployments, authorizers and the rest have them.
    pub(crate) fn short(&mut self) -> String {
        self.alnum(6)
    }
}

fn mix(mut z: u64) -> u64 {
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// A number from 0 to 1 for each call, the same with the same seed.
#[allow(clippy::cast_precision_loss)] // 53 bits of it are exact
pub(crate) fn chance(seed: u64, sequence: u64) -> f64 {
    (mix(seed ^ mix(sequence)) >> 11) as f64 / (1_u64 << 53) as f64
}

/// A UUID made of two numbers; `kind` keeps the ids of requests, events and messages apart.
pub(crate) fn uuid(seed: u64, sequence: u64, kind: u64) -> String {
    let high = mix(seed ^ mix(sequence.wrapping_mul(4).wrapping_add(kind)));
    let low = mix(high ^ sequence);
    format!(
        "{:08x}-{:04x}-4{:03x}-{:04x}-{:012x}",
        high >> 32,
        (high >> 16) & 0xffff,
        high & 0xfff,
        0x8000 | ((low >> 48) & 0x3fff),
        low & 0xffff_ffff_ffff
    )
}
