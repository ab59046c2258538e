import { useEffect, useState } from 'preact/hooks'

/** The same as in the style sheet, where a narrow page gives a row two lines. */
const NARROW = '(max-width: 640px)'
const HEIGHT = { wide: 32, narrow: 52 } as const

/** How high a row of calls is, in pixels. */
export function useRowHeight(): number {
  const [narrow, setNarrow] = useState(matchMedia(NARROW).matches)
  useEffect(() => {
    const query = matchMedia(NARROW)
    const changed = () => setNarrow(query.matches)
    query.addEventListener('change', changed)
    return () => query.removeEventListener('change', changed)
  }, [])
  return narrow ? HEIGHT.narrow : HEIGHT.wide
}
