use crate::run::{command, run};
use crate::tools;

/// Serves the demo, or an example, and rebuilds it on save.
pub fn serve(release: bool, example: Option<&str>) -> Result<(), String> {
    tools::for_building()?;
    println!("Building (the first time about a minute), then serving on http://127.0.0.1:8080/ …");
    let folder = example.map_or_else(String::new, |name| format!("examples/{name}"));
    let mut arguments = vec!["serve", "--offline"];
    if release {
        arguments.push("--release");
    }
    run(command(&folder, "trunk", &arguments))
}
