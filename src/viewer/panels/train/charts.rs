//! The run's curves: loss per batch or epoch, and beside it what the user chose; then what stands below.

use egui::{ComboBox, Slider, Ui, Vec2};

use crate::training::event::EpochRecord;
use crate::viewer::command::Command;
use crate::viewer::panels::chart::{Chart, Corner, Curve};
use crate::viewer::state::ViewerState;
use crate::viewer::train::session::Session;
use crate::viewer::train::{ChartSettings, Second, TrainCommand};
use crate::viewer::{theme, wording};

/// Height of the line of controls above the charts.
const CONTROLS: f32 = 30.0;

/// Draws both charts in a height.
pub fn ui(ui: &mut Ui, state: &ViewerState, height: f32, commands: &mut Vec<Command>) {
    let mut settings = state.train.charts;
    controls(ui, &mut settings);
    if settings != state.train.charts {
        commands.push(Command::Train(TrainCommand::Charts(settings)));
    }
    let session = &state.train.session;
    let gap = ui.spacing().item_spacing.x;
    let size = Vec2::new((ui.available_width() - gap) / 2.0, (height - CONTROLS).max(120.0));
    ui.horizontal(|ui| {
        let settings = state.train.charts;
        loss(session, settings).show(ui, size);
        second(session, settings).show(ui, size);
    });
}

fn controls(ui: &mut Ui, settings: &mut ChartSettings) {
    ui.horizontal(|ui| {
        ui.set_min_height(CONTROLS - theme::STEP);
        ui.strong("Loss");
        ui.selectable_value(&mut settings.per_epoch, false, "per batch");
        ui.selectable_value(&mut settings.per_epoch, true, "per epoch");
        ui.checkbox(&mut settings.log, "log")
            .on_hover_text("The loss on a logarithmic axis");
        ui.add_enabled_ui(!settings.per_epoch, |ui| {
            let label = ui.weak("Smoothing");
            ui.spacing_mut().slider_width = 72.0;
            ui.add(Slider::new(&mut settings.smoothing, 0.0..=0.99).fixed_decimals(2))
                .labelled_by(label.id)
                .on_hover_text("Weight of the exponential mean over batches");
        });
        ui.separator();
        let combo = ComboBox::from_id_salt("second chart")
            .selected_text(settings.second.words())
            .width(150.0);
        let response = combo.show_ui(ui, |ui| {
            for second in Second::ALL {
                ui.selectable_value(&mut settings.second, second, second.words());
            }
        });
        response.response.accessible_name("Second chart");
    });
}

fn per_epoch(session: &Session, value: fn(&EpochRecord) -> f64) -> Vec<[f64; 2]> {
    let point = |record: &EpochRecord| [record.epoch as f64, value(record)];
    session.epochs.iter().map(point).collect()
}

fn curve(name: &str, points: Vec<[f64; 2]>, place: usize) -> Curve {
    Curve {
        name: name.to_owned(),
        marked: points.len() <= 200,
        points,
        place,
        faint: false,
    }
}

fn loss(session: &Session, settings: ChartSettings) -> Chart<'static> {
    let curves = if settings.per_epoch {
        vec![
            curve("Training", per_epoch(session, |record| record.train_loss), 0),
            curve("Validation", per_epoch(session, |record| record.validation_loss), 1),
        ]
    } else {
        let raw = Curve {
            faint: settings.smoothing > 0.0,
            marked: false,
            ..curve("Batches", session.batch_loss.points().to_vec(), 0)
        };
        let mean = Curve {
            marked: false,
            ..curve("Mean of batches", session.batch_loss.smoothed(settings.smoothing), 0)
        };
        let validation = at_steps(session, |record| record.validation_loss);
        let mut curves = vec![raw];
        if settings.smoothing > 0.0 {
            curves.push(mean);
        }
        curves.push(curve("Validation", validation, 1));
        curves
    };
    Chart {
        name: "Loss",
        x: if settings.per_epoch { "Epoch" } else { "Batch" },
        log: settings.log,
        include: None,
        names: Corner::RightTop,
        curves,
    }
}

/// A value of the epochs at the steps where they end.
fn at_steps(session: &Session, value: fn(&EpochRecord) -> f64) -> Vec<[f64; 2]> {
    let per_epoch = session.started.as_ref().map_or(0, |started| started.steps_per_epoch);
    let point = |record: &EpochRecord| [(record.epoch * per_epoch) as f64, value(record)];
    session.epochs.iter().map(point).collect()
}

fn second(session: &Session, settings: ChartSettings) -> Chart<'static> {
    let of_steps = |name, series: &crate::viewer::train::series::Series| {
        vec![Curve {
            marked: false,
            ..curve(name, series.points().to_vec(), 0)
        }]
    };
    let (x, include, curves) = match settings.second {
        Second::Metrics => ("Epoch", Some([0.0, 1.0]), metrics(session)),
        Second::InLung => {
            let (ratio, chance) = session.in_lung();
            let curves = vec![curve("In-lung activation", ratio, 0), curve("Chance level", chance, 1)];
            ("Epoch", Some([0.0, 1.0]), curves)
        }
        Second::Rate => ("Batch", None, of_steps("Learning rate", &session.rate)),
        Second::Gradient => ("Batch", None, of_steps("Gradient norm", &session.gradient)),
        Second::Speed => ("Batch", Some([0.0, 0.0]), of_steps("Images per second", &session.speed)),
    };
    Chart {
        name: settings.second.words(),
        x,
        log: false,
        include,
        // Scores rise, rates and norms fall.
        names: match settings.second {
            Second::Metrics | Second::InLung => Corner::RightBottom,
            Second::Rate | Second::Gradient | Second::Speed => Corner::RightTop,
        },
        curves,
    }
}

fn metrics(session: &Session) -> Vec<Curve> {
    let names = session.metrics();
    let numbered = names.iter().enumerate();
    numbered
        .map(|(place, name)| curve(&wording::metric(name), session.metric(name), place))
        .collect()
}
