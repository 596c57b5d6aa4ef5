use super::*;

/// SHA-256 of `abc` (FIPS 180-2, appendix B.1).
const ABC: &str = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
/// SHA-256 of nothing.
const EMPTY: &str = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

fn asset(sha256: &str) -> Asset {
    Asset {
        name: "letters".into(),
        what: "three letters".into(),
        licence: "MIT".into(),
        file: "abc.txt".into(),
        size: 3,
        sha256: sha256.into(),
        pip: "letters==1.0".into(),
        member: "letters/abc.txt".into(),
    }
}

#[test]
fn a_file_with_the_right_checksum_gets_its_name() {
    let dir = tempfile::tempdir().unwrap();
    let (file, target) = (dir.path().join("unpacked"), dir.path().join("abc.txt"));
    fs::write(&file, "abc").unwrap();
    install(&file, ABC, &target).unwrap();
    assert_eq!(fs::read_to_string(&target).unwrap(), "abc");
    assert!(!file.exists());
}

#[test]
fn a_file_with_a_wrong_checksum_is_removed_and_what_stood_there_stays() {
    let dir = tempfile::tempdir().unwrap();
    let (file, target) = (dir.path().join("unpacked"), dir.path().join("abc.txt"));
    fs::write(&file, "").unwrap();
    fs::write(&target, "older").unwrap();
    let error = install(&file, ABC, &target).unwrap_err().to_string();
    assert!(error.contains(&format!("found sha256 {EMPTY}, expected {ABC}")));
    assert!(!file.exists());
    assert_eq!(fs::read_to_string(&target).unwrap(), "older");
}

#[test]
fn a_good_file_in_the_cache_needs_no_download() {
    let cache = tempfile::tempdir().unwrap();
    let target = asset(ABC).path(cache.path());
    fs::create_dir_all(target.parent().unwrap()).unwrap();
    fs::write(&target, "abc").unwrap();
    assert_eq!(ensure(&asset(ABC), cache.path()).unwrap(), target);
}

#[test]
fn an_unknown_asset_is_answered_with_the_known_ones() {
    let error = by_name("smollm").unwrap_err().to_string();
    assert_eq!(
        error,
        "there is no asset `smollm`; there is: smollm2-135m-instruct"
    );
}

#[test]
fn every_dead_end_says_how_to_place_the_file() {
    let by_hand = || ByHand::new(&asset(ABC), Path::new("cache/abc.txt"));
    let errors = [
        FetchError::NoPython(by_hand()),
        FetchError::NoPip {
            python: "python3".into(),
            by_hand: by_hand(),
        },
        FetchError::Download {
            package: "letters==1.0".into(),
            status: ExitStatus::default(),
            by_hand: by_hand(),
        },
    ];
    for error in errors {
        let text = error.to_string();
        assert!(
            text.contains("pip download --no-deps letters==1.0"),
            "{text}"
        );
        assert!(
            text.ends_with("copy letters/abc.txt\nto cache/abc.txt"),
            "{text}"
        );
    }
}

#[test]
fn a_member_comes_out_of_the_wheel_byte_for_byte() {
    let Some(python) = python() else {
        eprintln!("skipped: there is no Python 3");
        return;
    };
    let dir = tempfile::tempdir().unwrap();
    let wheel = dir.path().join("letters-1.0-py3-none-any.whl");
    let zip =
        "import sys, zipfile; zipfile.ZipFile(sys.argv[1], 'w').writestr('letters/abc.txt', 'abc')";
    let made = Command::new(python)
        .args(["-c", zip])
        .arg(&wheel)
        .status()
        .unwrap();
    assert!(made.success());
    let file = dir.path().join("unpacked");
    assert!(unpack(python, dir.path(), "letters/abc.txt", &file));
    assert_eq!(fs::read_to_string(&file).unwrap(), "abc");
    assert!(!unpack(python, dir.path(), "letters/missing.txt", &file));
}
