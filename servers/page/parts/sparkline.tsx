import { OUTCOMES } from '../../../shared/journal/outcome.js'
import { type Rate, SECONDS } from '../model/rates.js'

/** Pixels of a second's bar, and of the picture. */
const BAR = 3
const HEIGHT = 28

/** The last minute of a tool, a bar for each second, its parts by how calls ended. */
export function Sparkline({ rate: { seconds, peak }, label }: { rate: Rate; label: string }) {
  const scale = peak === 0 ? 0 : (HEIGHT - 2) / peak
  return (
    <svg
      class="sparkline"
      width={SECONDS * BAR}
      height={HEIGHT}
      viewBox={`0 0 ${SECONDS * BAR} ${HEIGHT}`}
      role="img"
      aria-label={label}
    >
      <line class="sparkline-ground" x1={0} x2={SECONDS * BAR} y1={HEIGHT - 0.5} y2={HEIGHT - 0.5} />
      {seconds.map((counts, second) => {
        let top = HEIGHT - 1
        return OUTCOMES.map(outcome => {
          const count = counts[outcome]
          if (count === 0) return null
          // What is there at all is to be seen.
          const height = Math.max(1, count * scale)
          top -= height
          return (
            <rect
              key={`${second} ${outcome}`}
              class={`bar-${outcome}`}
              x={second * BAR}
              y={top}
              width={BAR - 1}
              height={height}
            />
          )
        })
      })}
    </svg>
  )
}
