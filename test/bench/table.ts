import type { Measurement } from './row.js'

/** The measurements as a Markdown table. */
export function table(measurements: readonly Measurement[]): string {
  return [
    '| what | understudy | peer | ratio | target | |',
    '|---|---:|---:|---:|---|---|',
    ...measurements.map(line),
  ].join('\n')
}

function line({ what, unit, ours, peer, target, met }: Measurement): string {
  const cells = [
    what,
    `${figure(ours)} ${unit}`,
    peer === undefined ? '–' : `${figure(peer)} ${unit}`,
    peer === undefined ? '–' : `${(ours / peer).toFixed(2)}×`,
    target,
    met ? 'ok' : 'missed',
  ]
  return `| ${cells.join(' | ')} |`
}

/** Three digits that mean something; thousands apart. */
function figure(value: number): string {
  if (value >= 100) return Math.round(value).toLocaleString('en')
  return value >= 10 ? value.toFixed(1) : value.toFixed(2)
}
