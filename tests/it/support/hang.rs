//! A disk that hangs: flushes wait for as long as a file is there.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// To be loaded before the C library. `HANG` names the file, `HANG_IN` a part of the paths whose flushes hang.
const SOURCE: &str = r#"
#define _GNU_SOURCE
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
static int hang(int fd) {
    char link[64], path[4096];
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t length = readlink(link, path, sizeof path - 1);
    path[length < 0 ? 0 : length] = 0;
    while (strstr(path, getenv("HANG_IN")) && access(getenv("HANG"), F_OK) == 0) usleep(10000);
    return 0;
}
int fsync(int fd) { return hang(fd); }
int fdatasync(int fd) { return hang(fd); }
"#;

/// What a process needs in its environment so that flushes of paths with `part` in them hang while the file is there,
/// and that file.
pub fn disk(folder: &Path, part: &str) -> (Vec<(&'static str, String)>, PathBuf) {
    fs::write(folder.join("hang.c"), SOURCE).expect("a file");
    let built =
        Command::new("cc").current_dir(folder).args(["-shared", "-fPIC", "-o", "hang.so", "hang.c"]).status();
    assert!(built.expect("cc").success());
    let hang = folder.join("hang");
    let environment = vec![
        ("LD_PRELOAD", folder.join("hang.so").display().to_string()),
        ("HANG", hang.display().to_string()),
        ("HANG_IN", part.to_owned()),
    ];
    (environment, hang)
}
