const KEYS = [
  ['held', 'held'],
  ['acked', 'acknowledged'],
  ['expired', 'expired'],
  ['again', 'redelivered'],
] as const

/** What the colours of leases mean. */
export function LeaseLegend() {
  return (
    <ul class="legend" aria-label="What the colours mean">
      {KEYS.map(([name, words]) => (
        <li key={name}>
          <span class={`legend-mark legend-${name}`} aria-hidden="true" />
          {words}
        </li>
      ))}
    </ul>
  )
}
