/** Mantine's theme: one accent, Inter, a 4-pixel grid. Colours of states are tokens in tokens.css, not here. */
import { createTheme, type MantineColorsTuple } from '@mantine/core';

const teal: MantineColorsTuple = [
  '#e6f4f3',
  '#c9e6e4',
  '#96cfcb',
  '#5fb6b0',
  '#3ba39c',
  '#2bb3a9',
  '#12817d',
  '#0b6e6e',
  '#085959',
  '#054646',
];

// Not inverted light: its own ground and cards.
const dark: MantineColorsTuple = [
  '#e6ebf0',
  '#b9c4cf',
  '#93a1af',
  '#5d6b79',
  '#2b3947',
  '#22303d',
  '#16202b',
  '#0f151c',
  '#0b1016',
  '#070b0f',
];

export const theme = createTheme({
  primaryColor: 'teal',
  primaryShade: { light: 7, dark: 5 },
  autoContrast: true,
  colors: { teal, dark },
  black: '#16202c',
  fontFamily:
    "'Inter Variable', 'Noto Sans Hebrew Variable', 'Noto Sans Arabic Variable', system-ui, -apple-system, 'Segoe UI', sans-serif",
  fontFamilyMonospace: "ui-monospace, 'SF Mono', 'Cascadia Mono', Menlo, Consolas, monospace",
  fontSizes: { xs: '12px', sm: '13px', md: '15px', lg: '17px', xl: '20px' },
  spacing: { xs: '8px', sm: '12px', md: '16px', lg: '20px', xl: '28px' },
  radius: { xs: '4px', sm: '6px', md: '8px', lg: '12px', xl: '16px' },
  defaultRadius: 'md',
  respectReducedMotion: true,
  cursorType: 'pointer',
  focusRing: 'auto',
});
