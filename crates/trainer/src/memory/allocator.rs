//! Memory that a program keeps from one step to the next.

/// Has the allocator keep what is freed. A training step takes and gives back gigabytes, and glibc returns large blocks to the
/// system, which clears every page again when the next step asks for it; a thread's own arena has no room for them. Called
/// first in `main`, before other threads take memory. The process stays at the largest size it had. What the user has
/// set (`GLIBC_TUNABLES`, `MALLOC_TRIM_THRESHOLD_` and the like) is left alone; other C libraries are, too.
pub fn keep() {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    glibc::keep();
}

/// Returns to the system what was freed and kept, so that what this process takes is what it uses.
pub fn give_back() {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    glibc::give_back();
}

#[cfg(all(target_os = "linux", target_env = "gnu"))]
mod glibc {
    use std::env;

    use libc::c_int;

    /// A parameter of `mallopt(3)`.
    struct Parameter {
        number: c_int,
        value: c_int,
        /// The tunables that say the same, or the contrary, as `mallopt(3)` calls their variables: `MALLOC_` and the name in
        /// capitals, mostly with a `_` behind it.
        tunables: &'static [&'static str],
    }

    const PARAMETERS: [Parameter; 4] = [
        // All threads share one heap: others consist of pieces of 64 MiB, which larger blocks do not fit into.
        Parameter {
            number: libc::M_ARENA_MAX,
            value: 1,
            tunables: &["arena_max", "arena_test"],
        },
        // No block is a mapping of its own, however large. M_MMAP_THRESHOLD has an upper bound in older versions.
        Parameter {
            number: libc::M_MMAP_MAX,
            value: 0,
            tunables: &["mmap_max", "mmap_threshold"],
        },
        // The end of the heap is never given back: -1 is the largest size.
        Parameter {
            number: libc::M_TRIM_THRESHOLD,
            value: -1,
            tunables: &["trim_threshold"],
        },
        // The heap grows in strides, so that few calls of the system are made.
        Parameter {
            number: libc::M_TOP_PAD,
            value: 64 << 20,
            tunables: &["top_pad"],
        },
    ];

    pub(super) fn keep() {
        let variable = |name: &str| env::var_os(name).map(|v| v.to_string_lossy().into_owned());
        for parameter in PARAMETERS {
            if !is_set(parameter.tunables, variable) {
                set(&parameter);
            }
        }
    }

    #[expect(unsafe_code, reason = "the allocator has no other interface")]
    pub(super) fn give_back() {
        // SAFETY: `malloc_trim` locks the heap, and touches blocks alone that nobody has.
        unsafe { libc::malloc_trim(0) };
    }

    /// Whether the environment says something about one of these tunables.
    fn is_set(tunables: &[&str], variable: impl Fn(&str) -> Option<String>) -> bool {
        let all = variable("GLIBC_TUNABLES").unwrap_or_default();
        tunables.iter().any(|name| {
            let named = format!("glibc.malloc.{name}=");
            let own = format!("MALLOC_{}", name.to_uppercase());
            all.split(':').any(|tunable| tunable.starts_with(&named))
                || variable(&own).is_some()
                || variable(&format!("{own}_")).is_some()
        })
    }

    #[expect(unsafe_code, reason = "the allocator has no other interface")]
    fn set(parameter: &Parameter) {
        // SAFETY: `mallopt` takes any numbers, and locks the heap while it changes its parameters. One that it refuses stays as it
        // was.
        unsafe { libc::mallopt(parameter.number, parameter.value) };
    }

    #[cfg(test)]
    mod tests {
        use super::*;

        fn set_by(name: &str, value: &str) -> Vec<bool> {
            let variable = |asked: &str| (asked == name).then(|| value.to_owned());
            let all = PARAMETERS.iter();
            all.map(|parameter| is_set(parameter.tunables, variable))
                .collect()
        }

        #[test]
        fn what_the_user_has_set_is_left_alone_and_nothing_else() {
            let none = [false; 4];
            assert_eq!(set_by("GLIBC_TUNABLES", "glibc.malloc.hugetlb=1"), none);
            assert_eq!(set_by("MALLOC_PERTURB_", "7"), none);
            let tunables = "glibc.malloc.hugetlb=1:glibc.malloc.mmap_threshold=4096";
            let mapped = [false, true, false, false];
            assert_eq!(set_by("GLIBC_TUNABLES", tunables), mapped);
            assert_eq!(set_by("MALLOC_MMAP_MAX_", "9"), mapped);
            let arenas = [true, false, false, false];
            assert_eq!(set_by("MALLOC_ARENA_MAX", "4"), arenas);
            let trimmed = [false, false, true, false];
            assert_eq!(set_by("MALLOC_TRIM_THRESHOLD_", "0"), trimmed);
            let padded = [false, false, false, true];
            assert_eq!(set_by("GLIBC_TUNABLES", "glibc.malloc.top_pad=0"), padded);
        }
    }
}
