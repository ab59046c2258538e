import { signal } from '@preact/signals'
import { useEffect } from 'preact/hooks'
import { OUTCOMES } from '../../../journal/outcome.js'
import { maskSecrets } from '../../../secrets.js'
import { every, machineNow } from '../browser-time.js'
import { calls } from '../live/calls.js'
import { type Rate, ratesOf, SECONDS } from '../model/rates.js'
import { outcomeInWords } from '../model/words.js'
import { Empty } from './empty.js'
import { Scrolled } from './scrolled.js'
import { Section } from './section.js'
import { Sparkline } from './sparkline.js'

const DRAW_MS = 500

const rates = signal<readonly Rate[]>([])
let drawing = false

/** How often each tool was called, second by second, and how that ended. */
export function Traffic() {
  useEffect(() => {
    if (drawing) return
    drawing = true
    every(DRAW_MS, () => {
      rates.value = ratesOf(calls.value, machineNow())
    })
  }, [])
  // What comes first is shown at once.
  const shown = rates.value.length > 0 ? rates.value : ratesOf(calls.value, machineNow())
  return (
    <Section id="traffic" title="Traffic" note={`calls a second, the last ${SECONDS} s`}>
      {shown.length === 0 ? (
        <Empty>Once calls have come, each tool has a line here: how often, and how they ended.</Empty>
      ) : (
        <Scrolled label="Calls a second, by tool">
          <ul>
            {shown.map(rate => (
              <RateLine key={`${rate.server} ${rate.name}`} rate={rate} />
            ))}
          </ul>
        </Scrolled>
      )}
    </Section>
  )
}

function RateLine({ rate }: { rate: Rate }) {
  const { name, server, peak, totals } = rate
  return (
    <li class="rate">
      <span class="rate-name mono">
        {maskSecrets(name)}
        <span class="second dim">{server}</span>
      </span>
      <Sparkline rate={rate} label={peak === 0 ? 'none in the last minute' : `at most ${peak} a second`} />
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
