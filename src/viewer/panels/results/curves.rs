//! ROC curve, precision-recall curve and reliability diagram, each with a mark at the slider's threshold.

use egui::{Color32, Role, Ui, Vec2, WidgetInfo};
use egui_plot::{Line, LineStyle, MarkerShape, Plot, PlotPoints, Points};

use crate::training::metrics::Confusion;
use crate::viewer::results::evaluated::Evaluated;
use crate::viewer::{theme, wording};

/// Draws the three side by side.
pub fn ui(ui: &mut Ui, evaluated: &Evaluated, counts: &Confusion) {
    let gap = ui.spacing().item_spacing.x;
    let side = ((ui.available_width() - 2.0 * gap) / 3.0).clamp(150.0, 320.0);
    let (sensitivity, specificity) = (counts.sensitivity(), counts.specificity());
    let overall = &evaluated.report.evaluation.overall;
    let reliability = &evaluated.report.evaluation.reliability;
    ui.horizontal(|ui| {
        square(
            ui,
            side,
            Square {
                title: format!("ROC, AUC {}", wording::number_or_unknown(overall.roc_auc.value)),
                axes: ["1 - specificity", "Sensitivity"],
                points: evaluated.roc.clone(),
                reference: Some([[0.0, 0.0], [1.0, 1.0]]),
                mark: specificity
                    .zip(sensitivity)
                    .map(|(specificity, sensitivity)| [1.0 - specificity, sensitivity]),
                dots: false,
            },
        );
        let prevalence = overall.covid19 as f64 / overall.images.max(1) as f64;
        square(
            ui,
            side,
            Square {
                title: format!(
                    "Precision and recall, AP {}",
                    wording::number_or_unknown(overall.average_precision.value)
                ),
                axes: ["Recall", "Precision"],
                points: evaluated.precision_recall.clone(),
                reference: Some([[0.0, prevalence], [1.0, prevalence]]),
                mark: sensitivity
                    .zip(counts.precision())
                    .map(|(recall, precision)| [recall, precision]),
                dots: false,
            },
        );
        square(
            ui,
            side,
            Square {
                title: format!("Reliability, ECE {}", wording::number_or_unknown(reliability.ece)),
                axes: ["Predicted", "Observed"],
                points: evaluated.reliability.clone(),
                reference: Some([[0.0, 0.0], [1.0, 1.0]]),
                mark: None,
                dots: true,
            },
        );
    });
}

/// A curve in the unit square.
struct Square {
    title: String,
    axes: [&'static str; 2],
    points: Vec<[f64; 2]>,
    reference: Option<[[f64; 2]; 2]>,
    mark: Option<[f64; 2]>,
    dots: bool,
}

fn square(ui: &mut Ui, side: f32, square: Square) {
    ui.vertical(|ui| {
        ui.set_width(side);
        ui.add(egui::Label::new(&square.title).truncate());
        let name = square.title.split(',').next().unwrap_or_default().to_owned();
        let plot = Plot::new(&name)
            .width(side)
            .height(side)
            .include_x(0.0)
            .include_x(1.0)
            .include_y(0.0)
            .include_y(1.0)
            .x_axis_label(square.axes[0])
            .y_axis_label(square.axes[1])
            .show_background(false)
            .grid_color(theme::MUTED)
            .allow_scroll(false)
            .set_margin_fraction(Vec2::splat(0.03));
        let shown = plot.show(ui, |plot| {
            if let Some(reference) = square.reference {
                let line = Line::new("reference", PlotPoints::from(reference.to_vec()));
                let line = line.color(theme::MUTED).style(LineStyle::dashed_dense());
                plot.line(line.allow_hover(false));
            }
            if square.dots {
                let points = Points::new(name.clone(), PlotPoints::from(square.points.clone()));
                plot.points(points.radius(3.0).color(theme::ACCENT));
            }
            let line = Line::new(name.clone(), PlotPoints::from(square.points));
            plot.line(line.color(theme::ACCENT).width(1.75));
            if let Some(at) = square.mark {
                plot.points(mark(at, theme::CAUTION));
            }
        });
        shown
            .response
            .widget_info(|| WidgetInfo::labeled(Role::Figure, true, &square.title));
    });
}

fn mark(at: [f64; 2], colour: Color32) -> Points<'static> {
    let point = Points::new("threshold", PlotPoints::from(vec![at]));
    point.shape(MarkerShape::Cross).radius(6.0).color(colour)
}
