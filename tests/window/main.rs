//! probe

mod accessibility;
mod desktop;

use std::process::Stdio;

#[test]
fn probe() {
    println!("{:?}", desktop::missing_programs());
    let desk = desktop::Desktop::start(1280, 800);
    let t = std::time::Instant::now();
    let program = std::path::Path::new(env!("CARGO_BIN_EXE_recovnet"))
        .parent()
        .unwrap()
        .join("examples/probe");
    let mut app = desktop::Running::start(desk.command(program).stdout(Stdio::inherit()).stderr(Stdio::inherit()));
    let reader = accessibility::Reader::new(desk.accessibility());
    let tree = desktop::await_some("tree", || {
        if let Some(end) = app.ended() {
            panic!("{end}");
        }
        let e = reader.elements()?;
        if e.len() > 5 { Ok(e) } else { Err(format!("{e:?}")) }
    });
    println!("{:?}", t.elapsed());
    for e in tree {
        println!("{e:?}");
    }
    desk.input(&[
        "mousemove",
        "60",
        "200",
        "mousedown",
        "1",
        "mousemove",
        "110",
        "200",
        "mouseup",
        "1",
    ]);
    let tree = desktop::await_some("tree", || {
        let e = reader.elements()?;
        if e.iter().any(|e| e.name.contains("0.75")) {
            Ok(e)
        } else {
            Err(format!("{e:?}"))
        }
    });
    for e in tree {
        println!("{e:?}");
    }
}
