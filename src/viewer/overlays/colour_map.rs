//! Perceptually uniform colour maps, as matplotlib publishes them (CC0): every fifth entry, linear in between.

/// A colour map of the activation map.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ColourMap {
    /// Black, violet, orange, pale yellow.
    #[default]
    Inferno,
    /// Violet, green, yellow.
    Viridis,
    /// Blue to yellow, alike for people with and without colour vision deficiency.
    Cividis,
    /// Black to white.
    Grey,
}

impl ColourMap {
    /// Every map, in the order of the menu.
    pub const ALL: [Self; 4] = [Self::Inferno, Self::Viridis, Self::Cividis, Self::Grey];

    /// Name in the window.
    pub fn name(self) -> &'static str {
        match self {
            Self::Inferno => "Inferno",
            Self::Viridis => "Viridis",
            Self::Cividis => "Cividis",
            Self::Grey => "Grey",
        }
    }

    /// Row of the map in the table that the shader reads.
    pub fn row(self) -> u32 {
        self as u32
    }

    /// RGB of a value in 0..=1.
    pub fn at(self, value: f32) -> [u8; 3] {
        let points = match self {
            Self::Inferno => &INFERNO,
            Self::Viridis => &VIRIDIS,
            Self::Cividis => &CIVIDIS,
            Self::Grey => return [(value.clamp(0.0, 1.0) * 255.0).round() as u8; 3],
        };
        let position = value.clamp(0.0, 1.0) * (points.len() - 1) as f32;
        let below = (position as usize).min(points.len() - 2);
        let share = position - below as f32;
        let [low, high] = [below, below + 1].map(|index| points[index].to_be_bytes());
        [1, 2, 3].map(|c| (f32::from(low[c]) * (1.0 - share) + f32::from(high[c]) * share).round() as u8)
    }
}

const INFERNO: [u32; 52] = [
    0x00_00_04, 0x02_02_0C, 0x05_04_17, 0x0A_07_22, 0x10_09_2D, 0x16_0B_39, 0x1E_0C_45, 0x26_0C_51, 0x2F_0A_5B,
    0x38_09_62, 0x40_0A_67, 0x49_0B_6A, 0x51_0E_6C, 0x59_10_6E, 0x61_13_6E, 0x69_16_6E, 0x71_19_6E, 0x78_1C_6D,
    0x80_1F_6C, 0x88_22_6A, 0x90_25_68, 0x98_27_66, 0xA0_2A_63, 0xA8_2E_5F, 0xB0_31_5B, 0xB7_35_57, 0xBF_39_52,
    0xC6_3D_4D, 0xCC_42_48, 0xD3_47_43, 0xD9_4D_3D, 0xDF_53_37, 0xE4_5A_31, 0xE9_61_2B, 0xED_69_25, 0xF1_71_1F,
    0xF4_79_18, 0xF7_82_12, 0xF9_8B_0B, 0xFA_94_07, 0xFB_9D_07, 0xFC_A6_0C, 0xFC_B0_14, 0xFB_BA_1F, 0xFA_C4_2A,
    0xF8_CD_37, 0xF6_D7_46, 0xF4_E1_56, 0xF2_EA_69, 0xF2_F2_7D, 0xF5_F9_92, 0xFC_FF_A4,
];

const VIRIDIS: [u32; 52] = [
    0x44_01_54, 0x46_08_5C, 0x47_10_63, 0x48_17_69, 0x48_1D_6F, 0x48_24_75, 0x47_2A_7A, 0x46_30_7E, 0x45_37_81,
    0x43_3D_84, 0x41_42_87, 0x3F_48_89, 0x3D_4E_8A, 0x3A_53_8B, 0x38_59_8C, 0x35_5E_8D, 0x33_63_8D, 0x31_68_8E,
    0x2E_6D_8E, 0x2C_71_8E, 0x2A_76_8E, 0x29_7B_8E, 0x27_80_8E, 0x25_84_8E, 0x23_89_8E, 0x21_8E_8D, 0x20_92_8C,
    0x1F_97_8B, 0x1E_9C_89, 0x1F_A1_88, 0x21_A5_85, 0x24_AA_83, 0x28_AE_80, 0x2E_B3_7C, 0x35_B7_79, 0x3D_BC_74,
    0x46_C0_6F, 0x50_C4_6A, 0x5A_C8_64, 0x65_CB_5E, 0x70_CF_57, 0x7C_D2_50, 0x89_D5_48, 0x95_D8_40, 0xA2_DA_37,
    0xB0_DD_2F, 0xBD_DF_26, 0xCA_E1_1F, 0xD8_E2_19, 0xE5_E4_19, 0xF1_E5_1D, 0xFD_E7_25,
];

const CIVIDIS: [u32; 52] = [
    0x00_22_4E, 0x00_26_56, 0x00_2A_5F, 0x00_2D_68, 0x00_30_70, 0x08_33_70, 0x16_37_70, 0x20_3A_6F, 0x27_3E_6E,
    0x2E_41_6D, 0x34_45_6C, 0x3A_48_6C, 0x3F_4C_6C, 0x44_4F_6C, 0x49_53_6C, 0x4E_56_6C, 0x53_5A_6D, 0x57_5D_6D,
    0x5C_61_6E, 0x60_64_6F, 0x65_68_70, 0x69_6B_71, 0x6D_6F_72, 0x72_72_74, 0x76_76_76, 0x7A_7A_78, 0x7E_7D_78,
    0x83_81_79, 0x88_85_78, 0x8D_88_78, 0x92_8C_78, 0x96_90_77, 0x9B_94_76, 0xA0_98_75, 0xA5_9C_74, 0xAA_A0_73,
    0xAF_A4_71, 0xB5_A8_6F, 0xBA_AC_6D, 0xBF_B0_6B, 0xC4_B4_68, 0xC9_B9_65, 0xCF_BD_62, 0xD4_C1_5F, 0xDA_C6_5B,
    0xDF_CA_57, 0xE5_CF_52, 0xEA_D3_4C, 0xF0_D8_46, 0xF6_DD_3F, 0xFC_E2_36, 0xFE_E8_38,
];
