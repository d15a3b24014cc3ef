import * as z from 'zod'

const Order = z.object({ id: z.string().min(1), cents: z.number().int().positive() })
export type Order = z.infer<typeof Order>

const Json = z.string().transform((text, context): unknown => {
  try {
    return JSON.parse(text)
  } catch {
    context.addIssue('not valid JSON')
    return z.NEVER
  }
})

/** The envelope of SNS: the order is text in `Message`. */
export const OrderFromSns = z.object({ Type: z.literal('Notification'), Message: Json.pipe(Order) })
