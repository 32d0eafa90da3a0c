"""Scores of predicted spans against gold ones.

metrics         `Score` and `Evaluation`: counts of spans, and precision, recall and F1 from them; `evaluate_spans`
                makes them. `Summary`: one figure over several runs. `text_table`: their tables. Start reading here.
evaluate        From a model or from files to an `Evaluation`: `evaluate_model` on sentences, `evaluate_texts` on
                running text, `score_sentences` and `score_texts` for two files, whatever tools wrote them.
error_analysis  Every wrong span once (missed, spurious, wrong label, wrong boundary), and the confusion of labels.
calibration     Whether scores of entities are right as often as they say; the temperature that makes them so.
significance    Bootstrap intervals of F1, and a paired test of the difference between two systems.
"""
