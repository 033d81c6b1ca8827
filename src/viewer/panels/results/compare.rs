//! Two runs side by side: settings that differ, figures on the same images with the test of `McNemar`, overlaid curves.

use egui::{ComboBox, Ui, Vec2};

use crate::training::evaluation::McNemar;
use crate::training::runs::Comparison;
use crate::training::runs::compare::FigurePair;
use crate::viewer::command::Command;
use crate::viewer::errands::Pending;
use crate::viewer::panels::chart::{Chart, Corner, Curve};
use crate::viewer::panels::widgets::{block, caption, table, value_row};
use crate::viewer::results::ResultsCommand;
use crate::viewer::state::ViewerState;
use crate::viewer::{theme, wording};

use super::evaluation::measured;
use super::run::{says_how_well, value_text};

/// Height of a chart, in ui points.
const CHART: f32 = 220.0;

/// Draws the tab.
pub fn ui(ui: &mut Ui, state: &ViewerState, commands: &mut Vec<Command>) {
    let results = &state.results;
    let Some(run) = results.run() else {
        ui.weak("Choose a run in the table.");
        return;
    };
    ui.horizontal(|ui| {
        ui.label(&run.name);
        let label = ui.weak("beside");
        let mut second = results.second.clone();
        let shown = results.other().map_or("none", |run| run.name.as_str());
        let combo = ComboBox::from_id_salt("second run").selected_text(shown).width(240.0);
        let response = combo.show_ui(ui, |ui| {
            for other in results.runs.iter().filter(|other| other.folder != run.folder) {
                ui.selectable_value(&mut second, Some(other.folder.clone()), &other.name);
            }
        });
        response.response.labelled_by(label.id);
        if second != results.second {
            commands.push(Command::Results(ResultsCommand::Second(second)));
        }
    });
    match &results.comparison {
        Pending::Nothing | Pending::Cancelled => {
            caption(ui, "Choose a second run, here or with Ctrl and a click in the table.");
        }
        Pending::Running(_) => {
            caption(ui, "Comparing");
        }
        Pending::Failed(reason) => crate::viewer::panels::train::dataset::error(ui, "Comparison problem", reason),
        Pending::Done(comparison) => both(ui, comparison),
    }
}

fn both(ui: &mut Ui, comparison: &Comparison) {
    let [first, second] = &comparison.runs;
    let heads = ["", first.as_str(), second.as_str()];
    for note in &comparison.notes {
        ui.colored_label(theme::CAUTION, wording::sentence(note));
    }
    table(ui, "Settings that differ", "differences", &heads, |ui| {
        for pair in &comparison.settings {
            ui.weak(pair.name.replace('_', " "));
            for value in &pair.values {
                ui.label(value.as_ref().map_or_else(|| wording::UNKNOWN.to_owned(), value_text));
            }
            ui.end_row();
        }
    });
    if let Some(test) = &comparison.mcnemar {
        mcnemar(ui, test, [first, second]);
    }
    if let Some(split) = &comparison.split {
        let title = format!("Figures on part {split}");
        // Lung masks of classifiers are one segmenter's: the same figures twice tell nothing.
        let differ = |pair: &&FigurePair| pair.values[0] != pair.values[1];
        let differing: Vec<&FigurePair> = comparison.figures.iter().filter(differ).collect();
        let same = comparison.figures.len() - differing.len();
        table(ui, &title, "figures of two", &heads, |ui| {
            for pair in differing {
                ui.weak(wording::metric(&pair.name));
                for value in pair.values {
                    ui.label(value.map_or_else(|| wording::UNKNOWN.to_owned(), measured));
                }
                ui.end_row();
            }
        });
        if same > 0 {
            caption(ui, format!("{same} figures are the same in both runs and not listed."));
        }
    }
    curves(ui, comparison);
}

fn mcnemar(ui: &mut Ui, test: &McNemar, [first, second]: [&str; 2]) {
    block(
        ui,
        "McNemar's test: which decides rightly more often",
        |_| {},
        |ui| {
            let count = |number: u64| wording::count(number as usize);
            for (name, number) in [
                ("Both right".to_owned(), test.both_right),
                (format!("Only {first} right"), test.only_first),
                (format!("Only {second} right"), test.only_second),
                ("Both wrong".to_owned(), test.both_wrong),
            ] {
                value_row(ui, &name, &count(number), &number.to_string());
            }
            let p = if test.p < 0.001 {
                "below 0.001".to_owned()
            } else {
                wording::number(test.p)
            };
            value_row(ui, "p, two-sided", &p, &p);
        },
    );
}

fn curves(ui: &mut Ui, comparison: &Comparison) {
    let size = Vec2::new((ui.available_width() - ui.spacing().item_spacing.x) / 2.0, CHART);
    let shown = comparison.curves.iter().filter(|pair| says_how_well(&pair.name));
    let (mut sorted, scores): (Vec<_>, Vec<_>) = shown.partition(|pair| pair.name.ends_with("loss"));
    sorted.extend(scores);
    for row in sorted.chunks(2) {
        ui.horizontal(|ui| {
            for pair in row {
                ui.vertical(|ui| {
                    let title = wording::metric(&pair.name);
                    ui.label(&title);
                    let curve = |place: usize| Curve {
                        name: comparison.runs[place].clone(),
                        points: pair.curves[place].clone(),
                        place,
                        faint: false,
                        marked: true,
                    };
                    let chart = Chart {
                        name: &format!("{title} of both runs"),
                        names: Corner::RightTop,
                        x: "Epoch",
                        log: false,
                        include: None,
                        curves: vec![curve(0), curve(1)],
                    };
                    chart.show(ui, size);
                });
            }
        });
    }
}
