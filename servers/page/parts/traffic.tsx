import { signal } from '@preact/signals'
import { useEffect } from 'preact/hooks'
import { OUTCOMES } from '../../../shared/journal/outcome.js'
import { maskSecrets } from '../../../shared/util/secrets.js'
import { browserNow, every } from '../browser-time.js'
import { calls } from '../live/calls.js'
import { countOfShown, MAX_SHOWN, outcomeInWords } from '../model/format.js'
import { type CallRate, ratesOf, SECONDS } from '../model/rates.js'
import { Empty, Scrolled, Section } from './elements.js'

/** Width of the bar of one second, in pixels. */
const BAR = 3

/** Height of a chart, in pixels. */
const HEIGHT = 28

/**
 * Renders the calls of the last minute, with a bar for each second. Each outcome has its own part of a bar.
 */
function Sparkline({ rate: { seconds, peak }, label }: { rate: CallRate; label: string }) {
  const scale = peak === 0 ? 0 : (HEIGHT - 2) / peak
  return (
    <svg
      class="sparkline"
      height={HEIGHT}
      preserveAspectRatio="none"
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
          // A part has at least one pixel, so that a single call is visible.
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

/** Interval between updates of the charts, in milliseconds. */
const DRAW_MS = 500

const rates = signal<readonly CallRate[]>([])
let drawing = false

/** Renders a chart for each tool. A chart shows the calls per second and their outcomes. */
export function Traffic() {
  useEffect(() => {
    if (drawing) return
    drawing = true
    every(DRAW_MS, () => {
      rates.value = ratesOf(calls.value, browserNow())
    })
  }, [])
  // Before the first update, the rates are computed here.
  const shown = rates.value.length > 0 ? rates.value : ratesOf(calls.value, browserNow())
  return (
    <Section id="traffic" title="Traffic" note={noteOn(shown.length)}>
      {shown.length === 0 ? (
        <Empty>No calls yet. Each tool gets a chart here with its calls and their outcomes.</Empty>
      ) : (
        <Scrolled label="Calls per second by tool">
          <ul>
            {shown.slice(0, MAX_SHOWN).map(rate => (
              <RateLine key={`${rate.server} ${rate.name}`} rate={rate} />
            ))}
          </ul>
        </Scrolled>
      )}
    </Section>
  )
}

function noteOn(lines: number): string {
  const what = `calls per second, last ${SECONDS} s`
  return lines <= MAX_SHOWN ? what : `${what}, ${countOfShown(lines, 'chart', 'the busiest')}`
}

function RateLine({ rate }: { rate: CallRate }) {
  const { name, server, peak, totals } = rate
  return (
    <li class="rate">
      <span class="rate-name mono">
        {maskSecrets(name)} <span class="rate-server dim">{server}</span>
      </span>
      <span class="rate-chart">
        <Sparkline
          rate={rate}
          label={peak === 0 ? 'no calls in the last minute' : `at most ${peak} calls per second`}
        />
        <span class="rate-peak num dim">{peak > 0 && `max ${peak.toLocaleString('en')}/s`}</span>
      </span>
      <span class="rate-totals">
        {OUTCOMES.filter(outcome => totals[outcome] > 0).map(outcome => (
          <span key={outcome} class={`outcome outcome-${outcome}`}>
            <span class="num">{totals[outcome].toLocaleString('en')}</span> {outcomeInWords(outcome)}
          </span>
        ))}
      </span>
    </li>
  )
}
