use crate::run::{command, run};
use crate::{dist, tools};

/// Serves the demo, or an example, and rebuilds it on save.
pub fn serve(release: bool, example: Option<&str>) -> Result<(), String> {
    tools::for_building()?;
    println!("Building (the first time about a minute), then serving on http://127.0.0.1:8080/ …");
    let mut arguments = vec!["serve", "--offline"];
    if release {
        arguments.push("--release");
    }
    run(command(&dist::package(example), "trunk", &arguments))
}
