//! Memory that was freed is there for the next block, in every thread. Apart from the test harness, which has threads before a
//! test can say anything.

fn main() {
    trainer::memory::keep();
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    on_glibc::freed_memory_is_used_again();
}

#[cfg(all(target_os = "linux", target_env = "gnu"))]
mod on_glibc {
    use std::hint::black_box;

    use trainer::memory;

    /// As many pages of 4 KiB as 256 MiB have.
    const PAGES: u64 = 256 << 8;

    pub fn freed_memory_is_used_again() {
        let set = |name: &std::ffi::OsString| {
            let name = name.to_string_lossy();
            name == "GLIBC_TUNABLES" || name.starts_with("MALLOC_")
        };
        if std::env::vars_os().any(|(name, _)| set(&name)) {
            return;
        }
        let first = faults_of_a_block();
        let again = faults_of_a_block();
        let elsewhere = std::thread::spawn(faults_of_a_block).join();
        let elsewhere = elsewhere.expect("no panic");
        let kept = memory::current_bytes().expect("Linux");
        memory::give_back();
        let used = memory::current_bytes().expect("Linux");
        // With huge pages, where the system gives them unasked, a fault brings 512 pages.
        assert!(first >= PAGES / 512, "{first}");
        assert!(again < PAGES / 1000, "{again}");
        assert!(elsewhere < PAGES / 1000, "{elsewhere}");
        assert!(kept >= used + (250 << 20), "{kept}, {used}");
    }

    /// Page faults while a block of 256 MiB is written.
    fn faults_of_a_block() -> u64 {
        let before = faults();
        black_box(vec![1_u8; 256 << 20]);
        faults() - before
    }

    /// Page faults of this process that took no input or output, the tenth field of `proc_pid_stat(5)`.
    fn faults() -> u64 {
        let stat = std::fs::read_to_string("/proc/self/stat").expect("Linux");
        let behind_the_name = stat.rsplit(')').next().unwrap_or_default();
        let field = behind_the_name.split_whitespace().nth(7);
        field.and_then(|f| f.parse().ok()).expect("a number")
    }
}
