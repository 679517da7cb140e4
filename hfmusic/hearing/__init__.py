"""From a recording to tokens: tempo, windows of long recordings, and the model that hears."""
