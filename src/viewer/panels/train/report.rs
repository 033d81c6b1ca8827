//! The report of the check of the data: the verdict first, then what it rests on.

use egui::{Label, RichText, TextureHandle, Ui, Vec2, vec2};
use egui_plot::{Bar, BarChart, Legend, Plot};

use crate::training::check::report::{CheckReport, CopyPair, Odd};
use crate::training::check::{Histogram, words};
use crate::viewer::panels::widgets::{Sign, caption, name_value, sign, table};
use crate::viewer::state::ViewerState;
use crate::viewer::train::checked::Checked;
use crate::viewer::{theme, wording};

use super::lower::picture;

/// Side of a picture, in ui points.
const SIDE: f32 = 96.0;
/// Size of a histogram, in ui points.
const HISTOGRAM: [f32; 2] = [270.0, 150.0];
/// Lines of a list that are shown.
const MOST_LINES: usize = 30;

/// Draws the report.
pub fn ui(ui: &mut Ui, state: &ViewerState, checked: &Checked) {
    let report = &checked.report;
    verdict(ui, report);
    let pictures = &state.train.data.pictures;
    if !report.copies.first.is_empty() {
        copies(ui, report, &pictures.copies);
    }
    unreadable(ui, report);
    counts(ui, report);
    masks(ui, report);
    histograms(ui, report);
    odd(ui, report, &pictures.odd);
    caption(
        ui,
        format!(
            "Checked {} images in {}.",
            wording::count(report.images),
            wording::seconds(report.seconds)
        ),
    );
}

fn verdict(ui: &mut Ui, report: &CheckReport) {
    let leakage = report.leakage();
    ui.horizontal(|ui| {
        sign(ui, if leakage.is_none() { Sign::Good } else { Sign::Alarm });
        let text = wording::sentence(&leakage.to_string());
        let response = ui.add(Label::new(RichText::new(&text).strong()).wrap());
        name_value(&response, "Leakage", &text);
    });
    for (name, pairs) in [("Equal pictures", report.exact), ("Nearly equal pictures", report.near)] {
        if pairs.pairs > 0 {
            ui.label(format!("{name}: {}.", words::pairs(pairs)));
        }
    }
    for group in report.shared_groups.first.iter().take(MOST_LINES) {
        let files: Vec<String> = group.files.iter().map(words::place).collect();
        caption(
            ui,
            format!("One patient or group, {} images: {}", group.images, files.join("; ")),
        );
    }
}

fn copies(ui: &mut Ui, report: &CheckReport, textures: &[[Option<TextureHandle>; 2]]) {
    ui.add_space(2.0 * theme::STEP);
    ui.strong(format!(
        "Pictures that are there twice: {} pairs",
        wording::count(report.copies.total)
    ));
    ui.horizontal_wrapped(|ui| {
        for (pair, textures) in report.copies.first.iter().zip(textures) {
            copy(ui, pair, textures);
        }
    });
    others(ui, report.copies.total.saturating_sub(textures.len()));
}

/// Says how many pictures are not drawn.
fn others(ui: &mut Ui, number: usize) {
    if number > 0 {
        caption(
            ui,
            format!("{} more: the saved report lists them.", wording::count(number)),
        );
    }
}

fn copy(ui: &mut Ui, pair: &CopyPair, [first, second]: &[Option<TextureHandle>; 2]) {
    ui.allocate_ui(vec2(2.0 * SIDE + 8.0, SIDE + 34.0), |ui| {
        ui.vertical(|ui| {
            ui.horizontal(|ui| {
                ui.spacing_mut().item_spacing.x = 2.0;
                for (texture, place) in [(first, &pair.first), (second, &pair.second)] {
                    let response = picture(ui, texture.as_ref(), SIDE);
                    response.on_hover_text(words::place(place));
                }
            });
            let colour = if pair.is_across_parts() {
                theme::ALARM
            } else {
                theme::MUTED
            };
            for text in [words::joins(pair).to_owned(), words::likeness(pair)] {
                let text = RichText::new(text).font(theme::caption()).color(colour);
                ui.add(Label::new(text).truncate());
            }
        });
    });
}

fn unreadable(ui: &mut Ui, report: &CheckReport) {
    if report.unreadable.total == 0 {
        return;
    }
    let title = format!("Files that cannot be used: {}", wording::count(report.unreadable.total));
    table(ui, &title, "unreadable", &["File", "Cause"], |ui| {
        for file in report.unreadable.first.iter().take(MOST_LINES) {
            let mask = if file.mask { " (its mask)" } else { "" };
            ui.label(format!("{}{mask}", file.file));
            ui.label(&file.reason);
            ui.end_row();
        }
    });
}

fn counts(ui: &mut Ui, report: &CheckReport) {
    let heads = ["Source", "Label", "View", "Train", "Validation", "Test"];
    table(ui, "Images by source, label and view", "counts", &heads, |ui| {
        for (names, numbers) in words::count_rows(report) {
            for name in &names {
                ui.label(words::or_dash(name));
            }
            for number in numbers {
                ui.label(wording::count(number));
            }
            ui.end_row();
        }
    });
}

fn masks(ui: &mut Ui, report: &CheckReport) {
    let heads = ["Source", "Lung field, by hand", "Another mask", "None"];
    table(ui, "Masks", "mask counts", &heads, |ui| {
        for masks in &report.masks {
            ui.label(words::or_dash(&masks.source));
            for number in [masks.lung_field, masks.other, masks.none] {
                ui.label(wording::count(number));
            }
            ui.end_row();
        }
    });
}

fn histograms(ui: &mut Ui, report: &CheckReport) {
    ui.add_space(2.0 * theme::STEP);
    ui.strong("Sizes, shapes and greys of both classes");
    caption(
        ui,
        "Where the two differ, a network can learn that instead of the disease.",
    );
    ui.horizontal_wrapped(|ui| {
        for histogram in &report.histograms {
            draw(ui, histogram);
        }
    });
}

/// Bars of both classes side by side, as shares of their class: the classes are of different sizes.
fn draw(ui: &mut Ui, histogram: &Histogram) {
    let total =
        |count: fn(&crate::training::check::Bin) -> u64| histogram.bins.iter().map(count).sum::<u64>().max(1) as f64;
    let (control, covid19) = (total(|bin| bin.control), total(|bin| bin.covid19));
    let bars = |count: fn(&crate::training::check::Bin) -> u64, total: f64, shift: f64| -> Vec<Bar> {
        let bar = |(index, bin): (usize, &crate::training::check::Bin)| {
            let bar = Bar::new(index as f64 + shift, count(bin) as f64 / total).width(0.38);
            bar.name(format!(
                "{} to {}: {}",
                wording::picture_value(bin.from),
                wording::picture_value(bin.to),
                count(bin)
            ))
        };
        histogram.bins.iter().enumerate().map(bar).collect()
    };
    ui.allocate_ui(Vec2::from(HISTOGRAM) + vec2(0.0, 20.0), |ui| {
        ui.vertical(|ui| {
            ui.label(RichText::new(&histogram.quantity).font(theme::caption()));
            let edges: Vec<f64> = histogram.bins.iter().map(|bin| bin.from).collect();
            let plot = Plot::new(&histogram.quantity)
                .width(HISTOGRAM[0])
                .height(HISTOGRAM[1])
                .legend(Legend::default().background_alpha(0.4))
                .show_background(false)
                .allow_scroll(false)
                .allow_zoom(false)
                .allow_drag(false)
                .allow_boxed_zoom(false)
                .x_axis_formatter(move |mark, _| {
                    let edge = edges
                        .get(mark.value as usize)
                        .filter(|_| mark.value >= 0.0 && mark.value.fract() == 0.0);
                    edge.map_or_else(String::new, |edge| wording::picture_value(*edge))
                })
                .grid_color(theme::MUTED);
            let shown = plot.show(ui, |plot| {
                let of_control = BarChart::new("Control", bars(|bin| bin.control, control, 0.3));
                let of_covid19 = BarChart::new("COVID-19", bars(|bin| bin.covid19, covid19, 0.7));
                plot.bar_chart(of_control.color(theme::ACCENT));
                plot.bar_chart(of_covid19.color(theme::CAUTION));
            });
            shown
                .response
                .widget_info(|| egui::WidgetInfo::labeled(egui::Role::Figure, true, &histogram.quantity));
        });
    });
}

fn odd(ui: &mut Ui, report: &CheckReport, textures: &[Option<TextureHandle>]) {
    if report.odd.total == 0 {
        return;
    }
    ui.add_space(2.0 * theme::STEP);
    ui.strong(format!("Images worth a look: {}", wording::count(report.odd.total)));
    ui.horizontal_wrapped(|ui| {
        for (odd, texture) in report.odd.first.iter().zip(textures) {
            // Of a kind that there is much of, only the first pictures are kept.
            if let Some(texture) = texture {
                odd_tile(ui, odd, texture);
            }
        }
    });
    others(ui, report.odd.total - textures.iter().flatten().count());
}

fn odd_tile(ui: &mut Ui, odd: &Odd, texture: &TextureHandle) {
    ui.allocate_ui(vec2(SIDE, SIDE + 18.0), |ui| {
        ui.vertical(|ui| {
            ui.set_width(SIDE);
            let response = picture(ui, Some(texture), SIDE);
            let (width, height) = odd.size;
            response.on_hover_text(format!(
                "{}\n{width} x {height} pixels, {}",
                words::place(&odd.place),
                odd.kind.sentence()
            ));
            let text = RichText::new(odd.kind.sentence())
                .font(theme::caption())
                .color(theme::MUTED);
            ui.add(Label::new(text).truncate());
        });
    });
}
