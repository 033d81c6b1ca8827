//! Dates of DICOM (PS3.5 6.2: DA, DT) moved by whole days. Knows no files.

/// A DA (`YYYYMMDD`, also `YYYY.MM.DD`) moved by `days`; `None` if it is no date.
pub fn shift_date(text: &str, days: i64) -> Option<String> {
    let digits = text.trim_matches([' ', '\0']).replace('.', "");
    (digits.len() == 8).then(|| moved(&digits, days)).flatten()
}

/// A DT moved by `days`, its time and offset from UTC kept; one without a day is cut to its year, after moving.
pub fn shift_date_time(text: &str, days: i64) -> Option<String> {
    let text = text.trim_matches([' ', '\0']);
    let end = text.find(['+', '-', '.']).unwrap_or(text.len());
    let (digits, rest) = text.split_at_checked(end)?;
    if !digits.bytes().all(|digit| digit.is_ascii_digit()) || !rest.bytes().all(|byte| b"0123456789+-.".contains(&byte))
    {
        return None;
    }
    match digits.len() {
        4 => Some(moved(&format!("{digits}0701"), days)?.get(..4)?.to_owned()),
        6 => Some(moved(&format!("{digits}15"), days)?.get(..6)?.to_owned()),
        8.. => Some(moved(digits.get(..8)?, days)? + digits.get(8..)? + rest),
        _ => None,
    }
}

fn moved(digits: &str, days: i64) -> Option<String> {
    let number = |range: std::ops::Range<usize>| digits.get(range)?.parse::<i64>().ok();
    let (year, month, day) = (number(0..4)?, number(4..6)?, number(6..8)?);
    if !(1..=12).contains(&month) || !(1..=31).contains(&day) {
        return None;
    }
    let (year, month, day) = civil(day_number(year, month, day) + days);
    (1..=9999)
        .contains(&year)
        .then(|| format!("{year:04}{month:02}{day:02}"))
}

/// Days since 1970-01-01 of a date of the Gregorian calendar, years counted from March (Hinnant's algorithm).
fn day_number(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let of_era = year.rem_euclid(400);
    let of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468
}

/// Year, month and day of a day since 1970-01-01.
fn civil(number: i64) -> (i64, i64, i64) {
    let number = number + 719_468;
    let (era, of_era) = (number.div_euclid(146_097), number.rem_euclid(146_097));
    let year = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    let month = (5 * of_year + 2) / 153;
    let day = of_year - (153 * month + 2) / 5 + 1;
    let month = if month < 10 { month + 3 } else { month - 9 };
    (year + era * 400 + i64::from(month <= 2), month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_move_over_months_and_leap_years() {
        let check = |text: &str, days: i64, expected: Option<&str>| {
            assert_eq!(shift_date(text, days).as_deref(), expected, "{text} by {days}");
        };
        check("20240301", -1, Some("20240229"));
        check("20230301", -1, Some("20230228"));
        check("20240101", -366, Some("20221231"));
        check("1999.12.31", 1, Some("20000101"));
        check("20240230", 0, Some("20240301"));
        check("2024", -1, None);
        check("20241301", -1, None);
        check("00010101", -1, None);
        check("", 1, None);
        for day in (-800_000..200_000).step_by(97) {
            let (year, month, date) = civil(day);
            assert_eq!(day_number(year, month, date), day);
        }
    }

    #[test]
    fn date_times_keep_their_time() {
        let shift = |text| shift_date_time(text, -31);
        assert_eq!(
            shift("20240301123456.789+0100").as_deref(),
            Some("20240130123456.789+0100")
        );
        assert_eq!(shift("20240301").as_deref(), Some("20240130"));
        assert_eq!(shift("202403").as_deref(), Some("202402"));
        assert_eq!(shift("2024").as_deref(), Some("2024"));
        assert_eq!(shift("next week"), None);
        assert_eq!(shift("20240301 DOE"), None);
    }
}
