//! The architecture's invariants, as absences: what may name what, and what may not be there.
#![cfg(not(target_arch = "wasm32"))]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by a panic")]

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use syn::visit::{self, Visit};

/// Which modules a module of `src/` may name, beside itself.
const MAY_NAME: [(&str, &[&str]); 16] = [
    ("ids", &[]),
    ("value", &["ids"]),
    ("ports", &["value", "ids"]),
    ("wire", &["value", "ids"]),
    ("queue", &["value", "ids"]),
    ("kernels", &["value"]),
    ("gpu", &["kernels", "value"]),
    ("imagegen", &["kernels", "ports", "value"]),
    ("models", &["blocks", "diffusion", "kernels", "ports", "value"]),
    ("diffusion", &["kernels", "ports", "value"]),
    ("blocks", &["kernels", "ports", "value", "ids"]),
    ("runtime", &["blocks", "queue", "wire", "ports", "value", "ids"]),
    ("worker", &["blocks", "kernels", "wire", "ports", "value", "ids"]),
    ("browser", &["ports", "wire", "value", "ids"]),
    ("ui", &["runtime", "blocks", "value", "ids"]),
    (
        "launch",
        &["ui", "browser", "worker", "runtime", "blocks", "gpu", "kernels", "queue", "wire", "ports", "value", "ids"],
    ),
];

/// Outside crates that only some may name: modules, or single files of one.
const ONLY: [(&str, &[&str]); 9] = [
    // What the kernels compute with. Generators and networks fill in its parameters (uniforms, shapes, activations, the
    // layout of packed weights, the hash behind the random numbers), which would else stand twice; one file hands the
    // page's memory to its module of relaxed SIMD.
    ("gradus_cpu", &["kernels", "imagegen", "diffusion", "browser/relaxed.rs"]),
    // The browser's own tables of letters, for what reads prompts.
    ("gradus_unicode", &["diffusion", "imagegen"]),
    ("leptos", &["ui", "launch"]),
    ("wgpu", &["gpu"]),
    ("web_sys", &["browser", "ui", "launch"]),
    ("js_sys", &["browser", "ui", "launch", "gpu/adapter.rs"]),
    ("wasm_bindgen", &["browser", "ui", "launch", "gpu/adapter.rs"]),
    ("wasm_bindgen_futures", &["browser", "ui", "launch", "gpu/adapter.rs"]),
    ("gloo_timers", &["browser"]),
];

/// No clock, no I/O, no platform.
const PURE: [&str; 11] =
    ["ids", "value", "ports", "wire", "queue", "kernels", "imagegen", "diffusion", "blocks", "runtime", "worker"];
const WORLD: [&str; 6] = ["fs", "env", "thread", "net", "process", "os"];

const MOST_LINES: usize = 500;

/// What the crate's root and its prelude pass on, by the name there: `prelude::Blocks` is of the module `blocks`.
static PASSED_ON: LazyLock<Vec<(Vec<String>, String)>> =
    LazyLock::new(|| passed_on(&std::fs::read_to_string("src/lib.rs").unwrap()));

fn passed_on(root: &str) -> Vec<(Vec<String>, String)> {
    let mut all = Vec::new();
    for item in syn::parse_file(root).unwrap().items {
        let (place, items) = match item {
            syn::Item::Mod(inline) if inline.content.is_some() => {
                (vec![inline.ident.to_string()], inline.content.unwrap().1)
            }
            other => (Vec::new(), vec![other]),
        };
        for item in items {
            let syn::Item::Use(item) = item else { continue };
            let mut leaves = Vec::new();
            leaves_of(&item.tree, &[], &mut leaves);
            for (path, name) in leaves {
                let module =
                    path.into_iter().find(|part| part != "crate" && part != "self" && part != "super").unwrap();
                all.push((place.iter().cloned().chain([name]).collect(), module));
            }
        }
    }
    all
}

/// What a `use` brings in: the path, and the name it has then (`*` for all there is).
fn leaves_of(tree: &syn::UseTree, before: &[String], leaves: &mut Vec<(Vec<String>, String)>) {
    let mut path = before.to_vec();
    match tree {
        syn::UseTree::Path(next) => {
            path.push(next.ident.to_string());
            leaves_of(&next.tree, &path, leaves);
        }
        syn::UseTree::Group(group) => group.items.iter().for_each(|item| leaves_of(item, before, leaves)),
        syn::UseTree::Name(name) => {
            path.push(name.ident.to_string());
            leaves.push((path, name.ident.to_string()));
        }
        syn::UseTree::Rename(name) => {
            path.push(name.ident.to_string());
            leaves.push((path, name.rename.to_string()));
        }
        syn::UseTree::Glob(_) => {
            path.push("*".to_owned());
            leaves.push((path, "*".to_owned()));
        }
    }
}

/// The modules that a path of ours names, as the table knows them.
fn modules_named(path: &[String]) -> Vec<&str> {
    let rest = &path[1..];
    let is_module = |name: &str| MAY_NAME.iter().any(|(module, _)| *module == name);
    match rest.first() {
        Some(first) if is_module(first) => vec![first],
        Some(first) if first == "*" => MAY_NAME.iter().map(|(module, _)| *module).collect(),
        Some(_) => {
            // A name that is passed on, what is in it, or the prelude that it is in.
            let place = &rest[..rest.len() - usize::from(rest.last().is_some_and(|last| last == "*"))];
            let meant = |name: &Vec<String>| rest.starts_with(name) || name.starts_with(place);
            PASSED_ON.iter().filter(|(name, _)| meant(name)).map(|(_, module)| module.as_str()).collect()
        }
        None => Vec::new(),
    }
}

struct Paths {
    /// The module the file is, from the crate's root.
    module: Vec<String>,
    named: BTreeSet<Vec<String>>,
    platform: bool,
    ignored: bool,
}

impl Paths {
    fn add(&mut self, segments: Vec<String>) {
        let mut path = self.module.clone();
        let mut rest = segments.as_slice();
        match rest.first().map(String::as_str) {
            Some("crate") => {
                path.clear();
                rest = &rest[1..];
            }
            Some("super") => {
                while rest.first().is_some_and(|first| first == "super") {
                    path.pop();
                    rest = &rest[1..];
                }
            }
            _ => {
                self.named.insert(segments);
                return;
            }
        }
        path.extend(rest.iter().cloned());
        path.insert(0, "crate".to_owned());
        self.named.insert(path);
    }

    /// Paths inside of a macro's tokens, as text: "crate :: queue :: Queue".
    fn tokens(&mut self, text: &str) {
        let words: Vec<&str> =
            text.split(|c: char| !c.is_alphanumeric() && c != '_' && c != ':').filter(|w| !w.is_empty()).collect();
        let joined = words.join(" ").replace(" :: ", "::").replace(":: ", "::").replace(" ::", "::");
        for word in joined.split(' ').filter(|word| word.contains("::")) {
            self.add(word.split("::").filter(|part| !part.is_empty()).map(str::to_owned).collect());
        }
    }
}

impl<'ast> Visit<'ast> for Paths {
    fn visit_item_use(&mut self, item: &'ast syn::ItemUse) {
        let mut leaves = Vec::new();
        leaves_of(&item.tree, &[], &mut leaves);
        leaves.into_iter().for_each(|(path, _)| self.add(path));
        visit::visit_item_use(self, item);
    }

    fn visit_path(&mut self, path: &'ast syn::Path) {
        self.add(path.segments.iter().map(|segment| segment.ident.to_string()).collect());
        visit::visit_path(self, path);
    }

    fn visit_macro(&mut self, item: &'ast syn::Macro) {
        self.tokens(&item.tokens.to_string());
        visit::visit_macro(self, item);
    }

    fn visit_attribute(&mut self, attribute: &'ast syn::Attribute) {
        let path = attribute.path();
        let words = match &attribute.meta {
            syn::Meta::List(list) => list.tokens.to_string(),
            _ => String::new(),
        };
        self.platform |= (path.is_ident("cfg") || path.is_ident("cfg_attr")) && words.contains("target_");
        self.ignored |= path.is_ident("ignore");
        visit::visit_attribute(self, attribute);
    }
}

/// What a file of `src/` does against the law.
fn faults(file: &str, source: &str) -> Vec<String> {
    let parts: Vec<&str> = file.trim_end_matches(".rs").split('/').collect();
    let top = parts[0];
    let mut module: Vec<String> = parts.iter().map(|part| (*part).to_owned()).collect();
    if module.last().is_some_and(|last| last == "mod") {
        module.pop();
    }
    let mut paths = Paths { module, named: BTreeSet::new(), platform: false, ignored: false };
    paths.visit_file(&syn::parse_file(source).unwrap_or_else(|error| panic!("{file}: {error}")));
    let mut faults = Vec::new();
    let allowed = MAY_NAME.iter().find(|(name, _)| *name == top).map(|(_, allowed)| *allowed);
    if allowed.is_none() && !["lib", "main", "demo"].contains(&top) {
        faults.push(format!("{file}: the module `{top}` is not in the table of tests/law.rs"));
    }
    for path in &paths.named {
        let first = path.first().map_or("", String::as_str);
        let second = path.get(1).map_or("", String::as_str);
        if let (Some(allowed), "crate") = (allowed, first) {
            for module in modules_named(path).into_iter().filter(|module| *module != top && !allowed.contains(module)) {
                faults.push(format!("{file}: `{top}` may not name `{module}` ({})", path.join("::")));
            }
        }
        if ["main", "demo"].contains(&top) && first == "crate" && MAY_NAME.iter().any(|(name, _)| *name == second) {
            faults.push(format!("{file}: the demo sees only the public API, not {}", path.join("::")));
        }
        if let Some((outside, only)) = ONLY.iter().find(|(name, _)| *name == first)
            && !only.iter().any(|place| *place == top || *place == file)
        {
            faults.push(format!("{file}: only {only:?} may name `{outside}`"));
        }
        if PURE.contains(&top) && first == "std" {
            let clock =
                second == "time" && path.iter().any(|part| ["Instant", "SystemTime", "*"].contains(&part.as_str()));
            if clock || WORLD.contains(&second) {
                faults.push(format!("{file}: a PURE module reads the world by {}", path.join("::")));
            }
        }
    }
    if PURE.contains(&top) && paths.platform {
        faults.push(format!("{file}: a PURE module asks for the platform (cfg(target_…))"));
    }
    if paths.ignored {
        faults.push(format!("{file}: an ignored test"));
    }
    if source.contains(concat!("inner", "_html")) || source.contains(concat!("innerHTML", "")) {
        faults.push(format!("{file}: text becomes HTML"));
    }
    faults
}

fn files(folder: &str, kinds: &[&str]) -> Vec<PathBuf> {
    let entries = walkdir::WalkDir::new(folder).into_iter().flatten();
    let wanted = |path: &Path| path.extension().is_some_and(|kind| kinds.iter().any(|wanted| kind == *wanted));
    entries.map(walkdir::DirEntry::into_path).filter(|path| wanted(path)).collect()
}

#[test]
fn modules_name_only_what_they_may() {
    let files = files("src", &["rs"]);
    assert!(files.len() > 50, "only {} files were found", files.len());
    let mut all = Vec::new();
    for path in files {
        let name = path.strip_prefix("src").unwrap().to_string_lossy().replace('\\', "/");
        all.extend(faults(&name, &std::fs::read_to_string(&path).unwrap()));
    }
    assert!(all.is_empty(), "{}", all.join("\n"));
}

#[test]
fn planted_faults_are_found() {
    let check = |file: &str, source: &str, expected: &str| {
        let found = faults(file, source).join("\n");
        assert!(found.contains(expected), "{file} {source:?}: {found:?}");
    };
    check("queue/lane.rs", "use crate::runtime::Runtime;", "may not name `runtime`");
    check("queue/mod.rs", "use crate::{value::Time, blocks::App};", "may not name `blocks`");
    check("queue/lane.rs", "fn f() { let _ = super::super::worker::x(); }", "may not name `worker`");
    check("queue/lane.rs", "fn f() { assert!(crate::ui::x()); }", "may not name `ui`");
    check("queue/lane.rs", "use crate::prelude::Blocks;", "may not name `blocks`");
    check("queue/lane.rs", "use crate::prelude::*;", "may not name `blocks`");
    check("queue/lane.rs", "fn f(x: crate::prelude::Event) {}", "may not name `blocks`");
    check("queue/lane.rs", "use super::super::{prelude as author, ids};", "may not name `blocks`");
    check("queue/lane.rs", "use crate::*;", "may not name `ui`");
    check("ids.rs", "fn f(x: crate::Picture) {}", "may not name `value`");
    check("blocks/app.rs", "use gradus_cpu::hash;", "may name `gradus_cpu`");
    check("browser/files.rs", "fn f() { gradus_cpu::hash(1); }", "may name `gradus_cpu`");
    check("queue/lane.rs", "use std::time::*;", "reads the world");
    check("queue/lane.rs", "fn f(x: &web_sys::Window) {}", "may name `web_sys`");
    check("gpu/engine.rs", "use js_sys::Promise;", "may name `js_sys`");
    check("queue/lane.rs", "use std::time::Instant;", "reads the world");
    check("imagegen/mod.rs", "fn f() { std::fs::read(\"x\").ok(); }", "reads the world");
    check("runtime/mod.rs", "#[cfg(target_arch = \"wasm32\")] fn f() {}", "asks for the platform");
    check("demo/mod.rs", "use crate::queue::Queue;", "only the public API");
    check("novel/mod.rs", "", "is not in the table");
    check("queue/lane.rs", "#[test] #[ignore] fn f() {}", "an ignored test");
    check("ui/x.rs", &format!("fn f() {{ x.set_{}(y) }}", concat!("inner", "_html")), "becomes HTML");
    assert!(
        faults(
            "queue/lane.rs",
            "use super::record::Record; use crate::ids::JobId; use crate::prelude::Error; use std::time::Duration;"
        )
        .is_empty()
    );
}

/// Each name that an app's source has by `gradus::prelude` shows how it is used: an example stands right before it.
#[test]
fn what_authors_use_has_an_example() {
    let sources: Vec<String> =
        files("src", &["rs"]).iter().map(|path| std::fs::read_to_string(path).unwrap()).collect();
    let prelude = PASSED_ON.iter().filter(|(name, _)| name[0] == "prelude").map(|(name, _)| name[1].as_str());
    let bare: Vec<&str> = prelude.filter(|name| !sources.iter().any(|source| has_example(source, name))).collect();
    assert!(bare.is_empty() && PASSED_ON.len() > 20, "without an example: {bare:?}");
}

fn has_example(source: &str, name: &str) -> bool {
    let lines: Vec<&str> = source.lines().map(str::trim).collect();
    let is_item = |line: &str| {
        let rest = ["pub struct ", "pub enum ", "pub fn "].iter().find_map(|start| line.strip_prefix(start));
        // Components are made by a macro: its docs, then their names.
        let named = rest.unwrap_or(line).strip_prefix(name);
        named.is_some_and(|rest| rest.starts_with(if line.starts_with("pub ") { ['<', '(', ' '] } else { [','; 3] }))
    };
    let mut places = (0..lines.len()).filter(|&at| is_item(lines[at]));
    places.any(|at| {
        let before = lines[..at].iter().rev().skip_while(|line| line.starts_with("#["));
        before.take_while(|line| line.starts_with("///")).any(|line| *line == "/// ```")
    })
}

#[test]
fn files_stay_short() {
    let mut long = Vec::new();
    let folders = ["src", "crates", "xtask", "tests", "style", "models", "fuzz/fuzz_targets", "examples"];
    let kinds = ["rs", "wgsl", "js", "mjs", "css", "py"];
    // What tools have made there is nobody's to read.
    let made =
        |path: &Path| ["target", "dist", "node_modules"].iter().any(|made| path.iter().any(|part| part == *made));
    for path in folders.iter().flat_map(|folder| files(folder, &kinds)).filter(|path| !made(path)) {
        let lines = std::fs::read_to_string(&path).unwrap().lines().count();
        if lines > MOST_LINES {
            long.push(format!("{}: {lines} lines", path.display()));
        }
    }
    assert!(long.is_empty(), "over {MOST_LINES} lines: {}", long.join(", "));
}
