//! A chart with named curves: hover, zoom by wheel, drag to move, double click to fit, optional logarithmic height.
//! Every curve has a colour and a dash, so that none is told by its hue alone.

use egui::{Color32, Role, Ui, Vec2, WidgetInfo};
pub use egui_plot::Corner;
use egui_plot::{GridInput, HoverPosition, Legend, Line, LineStyle, Plot, PlotPoints, PlotUi, Points, log_grid_spacer};

use crate::viewer::theme;

/// A curve.
pub struct Curve {
    /// Its name in the legend.
    pub name: String,
    /// Its points.
    pub points: Vec<[f64; 2]>,
    /// Its place among the colours and dashes.
    pub place: usize,
    /// Drawn behind the others, without a name.
    pub faint: bool,
    /// Every point is marked: few points, each of which counts.
    pub marked: bool,
}

/// A chart.
pub struct Chart<'a> {
    /// Its name, unique in the window, and what assistive technology calls it.
    pub name: &'a str,
    /// What is along it, in whole numbers.
    pub x: &'a str,
    /// A logarithmic height.
    pub log: bool,
    /// Lowest and highest value that are always in sight.
    pub include: Option<[f64; 2]>,
    /// Where the names of the curves stand: where the curves rarely are.
    pub names: Corner,
    /// The curves.
    pub curves: Vec<Curve>,
}

/// A value with as many digits as tell it from its neighbours.
pub fn value_words(value: f64) -> String {
    match value.abs() {
        0.0 => "0".to_owned(),
        small if small < 1e-3 => format!("{value:.2e}"),
        large if large >= 1e4 => format!("{value:.0}"),
        middle if middle >= 100.0 => format!("{value:.1}"),
        _ => format!("{value:.4}"),
    }
}

impl Chart<'_> {
    /// Draws it in a size; a chart without points says so in its middle.
    pub fn show(self, ui: &mut Ui, size: Vec2) {
        let (log, x_name) = (self.log, self.x.to_owned());
        let raw = move |height: f64| if log { 10_f64.powf(height) } else { height };
        let label = move |at: &HoverPosition<'_>| match at {
            HoverPosition::NearDataPoint {
                plot_name, position, ..
            } => Some(format!(
                "{plot_name}\n{x_name} {:.0}\n{}",
                position.x,
                value_words(raw(position.y))
            )),
            HoverPosition::Elsewhere { .. } => None,
        };
        let is_empty = self.curves.iter().all(|curve| curve.points.is_empty());
        let mut plot = Plot::new(self.name)
            .width(size.x)
            .height(size.y)
            .legend(
                Legend::default()
                    .position(self.names)
                    .background_alpha(0.6)
                    .follow_insertion_order(true),
            )
            .label_formatter(label)
            .x_axis_label(self.x)
            .y_axis_formatter(move |mark, _| value_words_short(raw(mark.value)))
            .x_axis_formatter(|mark, _| value_words_short(mark.value))
            .y_axis_min_width(44.0)
            .show_background(false)
            .x_grid_spacer(|input: GridInput| {
                let mut marks = log_grid_spacer(10)(input);
                marks.retain(|mark| mark.step_size >= 1.0);
                marks
            })
            .show_axes(!is_empty)
            .show_grid(!is_empty)
            .grid_color(theme::MUTED)
            .allow_scroll(false)
            .set_margin_fraction(Vec2::new(0.02, 0.08));
        if let (Some([low, high]), false) = (self.include, log) {
            plot = plot.include_y(low).include_y(high);
        }
        let shown = plot.show(ui, |plot| {
            for curve in self.curves {
                draw(plot, curve, log);
            }
        });
        let response = shown.response;
        response.widget_info(|| WidgetInfo::labeled(Role::Figure, true, self.name));
        if is_empty {
            let font = theme::caption();
            ui.painter().text(
                response.rect.center(),
                egui::Align2::CENTER_CENTER,
                "Nothing to draw yet",
                font,
                theme::MUTED,
            );
        }
    }
}

fn draw(plot: &mut PlotUi<'_>, curve: Curve, log: bool) {
    let at = curve.points.iter().filter_map(|&[x, y]| Some([x, height(y, log)?]));
    let at: Vec<[f64; 2]> = at.collect();
    let colour = colour(curve.place);
    if curve.faint {
        let line = Line::new(format!("{} ", curve.name), PlotPoints::from(at));
        plot.line(line.color(theme::faint(colour)).width(1.0).allow_hover(false));
        return;
    }
    if curve.marked {
        let points = Points::new(curve.name.clone(), PlotPoints::from(at.clone()));
        plot.points(points.color(colour).radius(2.5));
    }
    let line = Line::new(curve.name, PlotPoints::from(at));
    plot.line(line.color(colour).width(1.75).style(dash(curve.place)));
}

fn value_words_short(value: f64) -> String {
    if value == 0.0 {
        return "0".to_owned();
    }
    if value.abs() < 1e-3 || value.abs() >= 1e6 {
        return format!("{value:.0e}");
    }
    let text = format!("{value:.3}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

fn height(value: f64, log: bool) -> Option<f64> {
    match (log, value > 0.0) {
        (false, _) => Some(value),
        (true, true) => Some(value.log10()),
        (true, false) => None,
    }
}

/// The colour of the curve at a place.
pub fn colour(place: usize) -> Color32 {
    theme::CURVES[place % theme::CURVES.len()]
}

/// The dash of the curve at a place.
pub fn dash(place: usize) -> LineStyle {
    // After the last colour the dashes are others, too.
    match (place + place / theme::CURVES.len()) % 3 {
        0 => LineStyle::Solid,
        1 => LineStyle::Dashed { length: 8.0 },
        _ => LineStyle::Dotted { spacing: 5.0 },
    }
}
