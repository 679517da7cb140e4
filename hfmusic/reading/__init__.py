"""From a page of several staves to tokens: its pictures, its staves, and one text of what is read on each."""
