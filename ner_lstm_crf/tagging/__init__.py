"""Text to entities, with a trained model.

tagger          `Tagger`, the public class: texts, tokens or sentences in, entities or spans out. Start reading here.
predictor       `Predictor`: chunks of sentences to spans, in batches of like length, on one thread or on several;
                `predict`: the same for encoded sentences, during training.
decoding        From emissions to spans with their probabilities: of the best path, or of the most probable spans.
portions        `TaggedPortion`: a part of a text with its entities.
analysis        `Analysis`: one sentence with its scores, probabilities and other readings.
constraints     `Constraints`: what a user knows of a sentence or a text, and lists of phrases.
lattice         `Lattice`: the CRF of the sequences of tags that agree with constraints.
script_tagger   `ScriptTagger`: each text to the shipped tagger of its script.

A text becomes sentences (`text.sentences`), these are cut into chunks, a chunk goes through the network
(`model.inference`) batch by batch, and the spans found are put back into the text as entities.
"""
