import middy7 from '@middy/core'
import middy6 from 'middy-core-6'

/** Every major version of @middy/core that the package supports. Version 6 has other types for the same functions. */
export const cores: [name: string, core: typeof middy7][] = [
  ['@middy/core 6', middy6 as unknown as typeof middy7],
  ['@middy/core 7', middy7],
]
