import { bytesInWords } from '../model/words.js'

interface MeterProps {
  what: string
  value: number
  /** 0: there is no limit. */
  most: number
  bytes?: boolean
}

/** How much of a limit is taken. */
export function Meter({ what, value, most, bytes = false }: MeterProps) {
  const words = (number: number) => (bytes ? bytesInWords(number) : `${number}`)
  const share = most === 0 ? 0 : Math.min(1, value / most)
  return (
    <div class="meter">
      <span class="dim">{what}</span>
      <span class="num">
        {words(value)} of {most === 0 ? 'any' : words(most)}
      </span>
      <svg class={`meter-bar${share > 0.9 ? ' meter-full' : ''}`} width="100%" height="4" aria-hidden="true">
        <rect class="meter-track" width="100%" height="4" rx="2" />
        <rect class="meter-value" width={`${share * 100}%`} height="4" rx="2" />
      </svg>
    </div>
  )
}
