//! Patients from file names, where a source names its files by them. The names given are those that groups have in
//! this product's manifests, so that a patient lies in the same part whichever way the data come.

/// The patient of a file name without its folder; `None` where the name tells none.
pub fn patient_of(name: &str) -> Option<String> {
    let stem = name.split('.').next()?;
    kermany(stem)
        .or_else(|| nih(stem))
        .or_else(|| tuberculosis(stem))
        .or_else(|| jsrt(stem))
        .or_else(|| bimcv(stem))
}

/// Children of Guangzhou: `person1312_bacteria_3319`, `IM-0272-0001`, `NORMAL2-IM-1427-0001`, `VIRUS-1008087-0001`.
fn kermany(stem: &str) -> Option<String> {
    if let Some(rest) = stem.strip_prefix("person") {
        let (number, kind) = rest.split_once('_')?;
        let known = kind.starts_with("bacteria") || kind.starts_with("virus");
        return (known && is_number(number)).then(|| format!("kermany-p{number}"));
    }
    let parts: Vec<&str> = stem.split('-').collect();
    match parts.as_slice() {
        ["IM", number, _, ..] if is_number(number) => Some(format!("kermany-IM{number}")),
        ["NORMAL2", "IM", number, _, ..] if is_number(number) => Some(format!("kermany-NORMAL2-IM{number}")),
        ["BACTERIA" | "VIRUS" | "NORMAL", number, _] if is_number(number) => Some(format!("kermany-{number}")),
        _ => None,
    }
}

/// ChestX-ray14: `00008947_003`.
fn nih(stem: &str) -> Option<String> {
    let (patient, follow_up) = stem.split_once('_')?;
    let fits = patient.len() == 8 && follow_up.len() == 3 && is_number(patient) && is_number(follow_up);
    fits.then(|| format!("nih-{patient}"))
}

/// Montgomery and Shenzhen: `MCUCXR_0253_1`, `CHNCXR_0096_0`.
fn tuberculosis(stem: &str) -> Option<String> {
    let parts: Vec<&str> = stem.split('_').collect();
    match parts.as_slice() {
        ["MCUCXR", number, _] if is_number(number) => Some(format!("mc-{number}")),
        ["CHNCXR", number, _] if is_number(number) => Some(format!("sz-{number}")),
        _ => None,
    }
}

/// JSRT: `JPCLN001` (with a nodule) and `JPCNN001`.
fn jsrt(stem: &str) -> Option<String> {
    let number = stem.strip_prefix("JPCLN").or_else(|| stem.strip_prefix("JPCNN"))?;
    is_number(number).then(|| format!("jsrt-{stem}"))
}

/// BIMCV: `sub-S03044_ses-E06025_run-1_bp-chest_vp-ap_dx`.
fn bimcv(stem: &str) -> Option<String> {
    let (subject, rest) = stem.split_once('_')?;
    (subject.starts_with("sub-S") && rest.starts_with("ses-")).then(|| format!("bimcv-{subject}"))
}

fn is_number(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}
